"""What tests of the front end share: a store, pools over it, an app that serves cats."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)

import httpx
import pytest
import redis
from fastapi import FastAPI

from app.inference.batcher import Batcher
from app.inference.pool import GeneratorPool
from app.main import create_app
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from models.store import Store
from tests.app.client import Api, client_of, served
from tests.app.fake_engine import load_painting, put_into_service
from worker.valkey import EmbeddedValkey


@pytest.fixture
def version(store: Store) -> str:
    """Return the version in service."""
    return put_into_service(store, 1).version


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
async def new_pool(store, tmp_path, telemetry) -> AsyncIterator[Callable[..., Awaitable]]:
    """Return what starts pools over the store whose generators paint their version."""
    async with AsyncExitStack() as pools:

        async def start(keep: int = 2, load=load_painting, **options) -> GeneratorPool:
            options |= {"telemetry": telemetry, "load": load}
            pool = GeneratorPool(store, "cpu", tmp_path / "cache", keep, **options)
            await pool.start()
            pools.push_async_callback(pool.close)
            return pool

        yield start


@pytest.fixture
async def new_batcher() -> AsyncIterator[Callable[..., Batcher]]:
    async with AsyncExitStack() as batchers:

        def make(*arguments, **options) -> Batcher:
            batcher = Batcher(*arguments, **options)
            batchers.push_async_callback(batcher.close)
            return batcher

        yield make


@pytest.fixture(scope="session")
def document() -> dict:
    """Return the OpenAPI document, which takes longer to make than an app."""
    return create_app(AppSettings()).openapi()


@pytest.fixture
def new_app(store, tmp_path, telemetry, document, monkeypatch) -> Callable[..., FastAPI]:
    """Return a maker of apps over the store alone, which count in `telemetry`; no Redis."""
    monkeypatch.setattr("app.lifespan.register_zoo", lambda _store: [])
    monkeypatch.setattr("app.main.Telemetry", lambda: telemetry)
    usual = {"data": tmp_path / "data", "watch_s": 60.0, "events_poll_s": 0.01, "render_threads": 1}

    def make(load=load_painting, **settings) -> FastAPI:
        app = create_app(AppSettings(**usual | settings), store=store, load=load)
        app.openapi_schema = document
        return app

    return make


@pytest.fixture
def serving(new_app) -> Callable[..., AbstractAsyncContextManager]:
    """Return a context that yields an app in service, and its client."""

    @asynccontextmanager
    async def serve(**options) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
        app = new_app(**options)
        async with app.router.lifespan_context(app), client_of(app) as client:
            yield app, client

    return serve


@pytest.fixture
async def app(serving, version) -> AsyncIterator[FastAPI]:
    """Return an app in service with the default settings, for async tests."""
    async with serving() as (app, _):
        yield app


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def ask(new_api, version) -> Iterator[Callable[..., httpx.Response]]:
    """Return what sends one request after the other to an app in service."""
    with new_api() as api:
        yield lambda path, method="GET", **options: api.ask(method, path, **options)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory) -> Iterator[str]:
    """Return the URL of a real Valkey that all tests of the front end share."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture
def new_api(new_app) -> Callable[..., AbstractContextManager[Api]]:
    """Return a maker of apps whose lifespan has begun; settings by name."""
    return lambda **options: served(new_app(**options))


@pytest.fixture
def api(new_api, redis_url) -> Iterator[Api]:
    """Return an app on loopback with a queue, whose generators paint their version."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with new_api(redis_url=redis_url) as api:
        yield api
