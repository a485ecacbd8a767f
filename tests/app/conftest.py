"""What tests of the front end share: a store, pools over it, an app that serves cats."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager

import pytest
import redis
from fastapi import FastAPI

from app.inference.pool import GeneratorPool
from app.main import create_app
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from models.store import Store
from tests.app.client import Api, client_of, run, served
from tests.app.fake_engine import load_painting, put_into_service
from worker.valkey import EmbeddedValkey


@pytest.fixture
def version(store: Store) -> str:
    """Return the version in service."""
    return put_into_service(store, 1).version


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
def no_zoo(monkeypatch) -> None:
    """Install no models: what the release ships must not turn up in tests of other things."""
    monkeypatch.setattr("app.lifespan.register_zoo", lambda _store: [])


@pytest.fixture
def serving(store, tmp_path, telemetry, no_zoo, monkeypatch):
    """Return a context that yields a whole app in service, which counts in `telemetry`."""
    monkeypatch.setattr("app.main.Telemetry", lambda: telemetry)

    @asynccontextmanager
    async def serve(
        *, load=load_painting, max_batch: int = 16, most_kept: int | None = None, **settings
    ) -> AsyncIterator[FastAPI]:
        if most_kept is not None:
            settings |= {"rendered": "store", "max_renderings": most_kept}
        settings |= {"data": tmp_path / "data", "watch_s": 60.0, "max_batch": max_batch}
        app = create_app(AppSettings(**settings, render_threads=1), store=store, load=load)
        async with app.router.lifespan_context(app):
            yield app

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
def new_api(store, tmp_path, no_zoo) -> Callable[..., AbstractContextManager[Api]]:
    """Return a maker of whole apps over the store; settings by name, no Redis by default."""

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
