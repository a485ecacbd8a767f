"""The app's lifespan: what it opens before the first request and closes after the last."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.datastructures import State

from app.api.status import StatusBoard
from app.cats.cache import ImageCache
from app.cats.nearest import NearestPictures
from app.cats.renderer import Renderer
from app.http.keys import KeyRing
from app.http.limits import Limits
from app.inference.batcher import Batcher
from app.inference.pool import GeneratorPool
from app.inference.slot import EngineLoader, load_engine
from app.inference.watcher import Watcher
from app.jobs.feed import JobTable
from app.jobs.films import Films
from app.jobs.gauges import JobGauges
from app.jobs.queue import JobQueue, redis_of
from app.jobs.uploads import Uploads
from app.observability.event_loop_lag import LagMeter
from app.observability.probes import Probe
from app.observability.rates import RateMeter
from app.settings import AppSettings
from models.datasets.tempdir import workplace
from models.devices import pick_device
from models.inference.engine import enter_lane, lanes_of, least_share_of
from models.store import Store
from models.store.image_store import ImageStore
from models.store.names import timestamp
from models.zoo.install import register_zoo

log = logging.getLogger(__name__)


def lifespan_of(
    settings: AppSettings, store: Store | None, load: EngineLoader | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app whose `state` has its telemetry; see `create_app`."""
    load = load or partial(load_engine, wanted=settings.engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state
        state.stopping = asyncio.Event()
        state.started_at = timestamp()
        device = state.device = str(pick_device(settings.device))
        # The stack closes in reverse order: nothing outlives what it needs.
        async with AsyncExitStack() as stack:
            await _open_store(state, settings, store)
            await _open_queue_and_uploads(state, settings, stack)
            _start_rendering(state, settings, device, stack)
            await _start_pool(state, settings, device, load, stack)
            await _start_watcher(state, settings, stack)
            state.status_board = StatusBoard(state)
            yield
            state.stopping.set()

    return lifespan


async def _open_store(state: State, settings: AppSettings, store: Store | None) -> None:
    """Open the store and register the generators of this release in it."""
    state.store = store or await asyncio.to_thread(Store.open, settings.store_url)
    state.key_ring = await asyncio.to_thread(KeyRing.open, settings, state.store)
    state.store_probe = Probe(lambda: state.store.tree.names("models"))
    state.records_probe = Probe(state.store.tree.problems.check)
    state.zoo_problems = await asyncio.to_thread(register_zoo, state.store)
    for problem in state.zoo_problems:
        log.warning("%s", problem)  # not fatal: all other models can be served


async def _open_queue_and_uploads(
    state: State, settings: AppSettings, stack: AsyncExitStack
) -> None:
    """Set up the queue, which connects on first use, and a folder for unfinished uploads."""
    state.queue = JobQueue(settings, state.queue_note)
    state.limits = Limits(settings, redis_of(settings), state.key_ring)
    stack.callback(state.limits.close)
    state.queue_probe = Probe(state.queue.check)
    stack.callback(state.queue.close)
    state.films = Films(state.store, settings.max_walk_pixels)
    table = state.job_table = JobTable(state.store, settings.events_poll_s)
    registry = state.telemetry.registry
    state.job_gauges = JobGauges(registry, settings, table, state.queue, state.store)
    stack.callback(state.job_gauges.close)
    # A folder of its own: other processes may receive uploads in the same data folder.
    unfinished = await asyncio.to_thread(stack.enter_context, workplace(settings.uploads))
    state.uploads = Uploads(settings.uploads, unfinished)


def _start_rendering(
    state: State, settings: AppSettings, device: str, stack: AsyncExitStack
) -> None:
    """Set up the batcher, the encoders and the cache in front of them."""
    lag = LagMeter(state.telemetry)
    lag.start()
    stack.push_async_callback(lag.close)
    state.rate_meter = RateMeter(state.telemetry)
    state.rate_meter.start()
    stack.push_async_callback(state.rate_meter.close)
    state.batcher = Batcher(
        settings.max_batch,
        settings.max_waiting_images,
        settings.deadline_s,
        lanes=lanes_of(device, settings.render_threads),
        least_share=least_share_of(device),
        prepare=enter_lane,
        telemetry=state.telemetry,
    )
    stack.push_async_callback(state.batcher.close)
    state.renderer = Renderer(
        state.batcher,
        encode_threads=settings.encode_threads,
        max_waiting=settings.max_waiting_images,
        telemetry=state.telemetry,
    )
    stack.callback(state.renderer.close)
    state.nearest = NearestPictures(state.store, state.batcher, settings.cache)
    stack.callback(state.nearest.close)
    images = ImageStore(state.store.tree, settings.max_renderings)
    state.image_cache = ImageCache(
        state.renderer,
        max_bytes=settings.cache_bytes,
        store=images if settings.rendered == "store" else None,
        telemetry=state.telemetry,
    )


async def _start_pool(
    state: State, settings: AppSettings, device: str, load: EngineLoader, stack: AsyncExitStack
) -> None:
    """Load the generators in service."""
    state.pool = GeneratorPool(
        state.store,
        device,
        settings.cache,
        settings.keep_versions,
        max_bytes=settings.max_device_bytes,
        default_model=settings.default_model,
        is_lazy=settings.load == "lazy",
        telemetry=state.telemetry,
        load=load,
    )
    stack.push_async_callback(state.pool.close)
    await state.pool.start()


async def _start_watcher(state: State, settings: AppSettings, stack: AsyncExitStack) -> None:
    """Start following changes of the aliases in the store."""
    state.watcher = Watcher(state.pool, redis_url=settings.redis_url, watch_s=settings.watch_s)
    stack.push_async_callback(state.watcher.close)
    await state.watcher.start()
