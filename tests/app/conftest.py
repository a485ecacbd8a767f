"""What tests of the front end share: a store, pools over it, an app that serves cats."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import pytest
import redis
from fastapi import FastAPI

from app.api import cats, walks
from app.cats.cache import Rendered
from app.cats.renderer import Renderer
from app.inference.batcher import Batcher
from app.inference.pool import GeneratorPool
from app.main import create_app
from app.observability.metrics import RequestCounter, Telemetry
from app.problems.handlers import register
from app.settings import AppSettings
from models.store import Store
from models.store.image_store import Renderings
from tests.app.client import Api, client_of, run, served
from tests.app.fake_engine import load_painting
from worker.valkey import EmbeddedValkey


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store in a folder."""
    return Store.open(str(tmp_path / "store"))


@pytest.fixture
def telemetry() -> Telemetry:
    """Return the counters of one app."""
    return Telemetry()


@pytest.fixture
def new_pool(store, tmp_path, telemetry) -> Callable[..., GeneratorPool]:
    """Return a maker of pools over the store whose generators paint their version."""

    def make(keep: int = 2, load=load_painting, **options) -> GeneratorPool:
        cache = tmp_path / "cache"
        return GeneratorPool(store, "cpu", cache, keep, telemetry=telemetry, load=load, **options)

    return make


@pytest.fixture
def serving(new_pool, store, telemetry):
    """Return a context that yields an app with the cats' routes, in service."""

    @asynccontextmanager
    async def serve(
        *,
        max_batch: int = 16,
        max_waiting: int = 4096,
        deadline_s: float = 30.0,
        cache_bytes: int = 1 << 20,
        most_kept: int | None = None,
        **pool_options,
    ) -> AsyncIterator[FastAPI]:
        pool = new_pool(**pool_options)
        batcher = Batcher(max_batch, max_waiting, deadline_s, telemetry=telemetry)
        renderer = Renderer(batcher, max_waiting=max_waiting, telemetry=telemetry)
        app = FastAPI()
        app.include_router(cats.router)
        app.include_router(walks.router)
        app.state.pool, app.state.batcher, app.state.renderer = pool, batcher, renderer
        app.state.rendered = Rendered(
            renderer,
            max_bytes=cache_bytes,
            shelf=None if most_kept is None else Renderings(store.tree, most_kept),
            telemetry=telemetry,
        )
        app.state.settings, app.state.telemetry = AppSettings(), telemetry
        app.add_middleware(RequestCounter, telemetry=telemetry)
        register(app)
        await pool.start()
        try:
            yield app
        finally:
            await batcher.close()
            renderer.close()
            await pool.close()

    return serve


@pytest.fixture
def ask(serving):
    """Return a function that sends one request to an app in service."""

    def send(path, method="GET", headers=None, **options):
        async def test():
            async with serving(**options) as app, client_of(app) as client:
                return await client.request(method, path, headers=headers)

        return run(test())

    return send


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory) -> Iterator[str]:
    """Return the URL of a real Valkey that all tests of the front end share."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture
def new_api(store, tmp_path, monkeypatch) -> Callable[..., AbstractContextManager[Api]]:
    """Return a maker of whole apps over the store; settings by name, no Redis by default."""
    # What the release ships must not turn up in tests of other things.
    monkeypatch.setattr("app.lifespan.register_zoo", lambda _store: [])

    def make(load=load_painting, **settings) -> AbstractContextManager[Api]:
        settings = {"data": tmp_path / "data", "watch_s": 60.0, "events_poll_s": 0.01, **settings}
        return served(create_app(AppSettings(**settings), store=store, load=load))

    return make


@pytest.fixture
def api(new_api, redis_url) -> Iterator[Api]:
    """Return an app on loopback with a queue, whose generators paint their version."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with new_api(redis_url=redis_url) as api:
        yield api
