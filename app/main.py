"""The front end as one ASGI app: `create_app` puts the parts together, the lifespan runs them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from app.api import cats, datasets, health, jobs, models, recipes, walks
from app.api.openapi import TAGS, describe
from app.cats.cache import ImageCache
from app.cats.renderer import Renderer
from app.hosting.siblings import LANES, Sibling
from app.http.security import Gate, Hardening, check_closed
from app.inference.batcher import Batcher
from app.inference.pool import GeneratorPool
from app.inference.slot import EngineLoader, load_engine
from app.inference.watcher import Watcher
from app.jobs.queue import JobQueue
from app.jobs.uploads import Uploads
from app.observability.event_loop_lag import LagMeter
from app.observability.metrics import RequestCounter, Telemetry
from app.problems.handlers import register
from app.settings import AppSettings
from models.devices import pick_device
from models.inference.engine import enter_lane, lanes_of, least_share_of
from models.store import Store
from models.store.image_store import ImageStore
from models.zoo.install import register_zoo

log = logging.getLogger(__name__)

ROUTERS = (walks, models, recipes, jobs, datasets, health)


def create_app(
    settings: AppSettings,
    *,
    store: Store | None = None,
    load: EngineLoader | None = None,
    sibling: Sibling | None = None,
) -> FastAPI:
    """Return the app; nothing is opened before its lifespan begins.

    A server that ends should set `app.state.stopping` before it waits for its
    connections: event streams then end by themselves.

    Args:
        settings: The front end's.
        store: An opened store; by default that of the settings.
        load: Makes an engine of a weights file; by default as the settings say.
        sibling: Where this is one of several front ends, which render in the engine host.

    Raises:
        SettingsError: It would be open to the whole network without a key.
    """
    check_closed(settings)
    telemetry = Telemetry()
    app = FastAPI(
        title="Cattery",
        summary="Trains cat generators and serves their pictures.",
        version=version("cattery"),
        openapi_tags=TAGS,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan(settings, store, load, sibling),
    )
    app.state.settings = settings
    app.state.telemetry = telemetry
    app.state.sibling = sibling
    register(app)
    app.router.routes[:0] = cats.router.routes  # first: nothing else is matched before them
    for module in ROUTERS:
        app.include_router(module.router)
    describe(app)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(Hardening)
    app.add_middleware(RequestCounter, telemetry=telemetry)  # the last one is outermost
    return app


def _lifespan(
    settings: AppSettings,
    store: Store | None,
    load: EngineLoader | None,
    sibling: Sibling | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _start(app, settings, store, load, sibling, stack)
            yield
            app.state.stopping.set()

    return lifespan


async def _start(
    app: FastAPI,
    settings: AppSettings,
    store: Store | None,
    load: EngineLoader | None,
    sibling: Sibling | None,
    stack: AsyncExitStack,
) -> None:
    """Open and start everything; the stack ends it in reverse order."""
    state, telemetry = app.state, app.state.telemetry
    state.stopping = asyncio.Event()
    state.store = store or await asyncio.to_thread(Store.open, settings.store_url)
    with sibling.alone() if sibling else nullcontext():
        state.zoo_problems = await asyncio.to_thread(register_zoo, state.store)
    for problem in state.zoo_problems:
        log.warning("%s", problem)
    state.uploads = Uploads(settings.uploads)
    if sibling is None:  # what looks half written may be on its way to another one
        await asyncio.to_thread(state.uploads.sweep)
    lag = LagMeter(telemetry)
    lag.start()
    stack.push_async_callback(lag.close)
    state.queue = JobQueue(settings)
    stack.callback(state.queue.close)
    device = settings.device if sibling else str(pick_device(settings.device))
    state.batcher = Batcher(
        settings.max_batch,
        settings.max_waiting_images,
        settings.deadline_s,
        lanes=LANES if sibling else lanes_of(device, settings.render_threads),
        least_share=1 if sibling else least_share_of(device),
        prepare=enter_lane,
        telemetry=telemetry,
    )
    stack.push_async_callback(state.batcher.close)
    state.renderer = Renderer(
        state.batcher,
        encode_threads=settings.encode_threads,
        max_waiting=settings.max_waiting_images,
        telemetry=telemetry,
    )
    stack.callback(state.renderer.close)
    images = ImageStore(state.store.tree, settings.max_renderings)
    state.image_cache = ImageCache(
        state.renderer,
        max_bytes=settings.cache_bytes,
        store=images if settings.rendered == "store" else None,
        telemetry=telemetry,
    )
    state.pool = GeneratorPool(
        state.store,
        device,
        settings.cache,
        settings.keep_versions,
        max_bytes=settings.max_device_bytes,
        default_model=settings.default_model,
        is_lazy=settings.load == "lazy",
        telemetry=telemetry,
        load=load or (sibling.load if sibling else partial(load_engine, wanted=settings.engine)),
    )
    stack.push_async_callback(state.pool.close)
    await state.pool.start()
    state.watcher = Watcher(state.pool, redis_url=settings.redis_url, watch_s=settings.watch_s)
    stack.push_async_callback(state.watcher.close)
    await state.watcher.start()
    if sibling is not None:
        stack.push_async_callback(sibling.close)
        await sibling.start(telemetry)
