"""Tests of app.express."""

import asyncio
import logging

import httpx
import pytest

from app.express import Express, parsed
from app.settings import AppSettings
from models.inference.latents import MAX_SEED
from tests.app.client import HOME, problem_of
from tests.app.fake_engine import publish, put_into_service

SHORT = [
    "/cats?seed=7",
    "/cats?seed=7&format=png",
    "/cats?n=5&seed=20&columns=2",
    "/cats?n=3&seed=1&format=zip",
    "/cats?n=3&seed=1&format=multipart&encoding=webp",
    "/cats?n=3&seed=1&format=json",
    "/cats?seed=7&format=webp&model=dcgan",
    "/cats?seed=7&model=dcgan@{version}",
    "/cats?seed=7&near=9&distance=0.25&truncation=0.5",
    "/cats/dcgan@{version}/7.png",
    "/cats/dcgan@{version}/7.webp",
    "/cats?seed=7&encoding=webp&format=png",
    f"/cats?n=64&seed={MAX_SEED}",
]
"""Requests that take the short way; the last ones are refused on it."""

LONG = [
    "/cats?seed=",
    "/cats?seed=7&seed=8",
    "/cats?seed=%37",
    "/cats?seed=7&color=red",
    "/cats?n=0",
    "/cats?n=64&seed=18446744073709551616",
    "/cats?seed",
    "/cats?model=tiger&seed=7",
    "/cats?model=dcgan@previous&seed=7",
    "/cats/dcgan@{version}/7.png?truncation=0.5",
    "/cats/dcgan@{version}/07.png",
    "/cats/dcgan@{version}/7.gif",
    "/cats/dcgan@{version}/99999999999999999999.png",
    "/cats/dcgan@serving/7.png",
    "/cats/tiger@0123456789ab/7.png",
    "/cats/walk?from=1&to=2",
    "/models",
]
"""Requests that are left to the framework."""

HEADERS = [
    {},
    {"Accept": "image/webp, image/png;q=0.5"},
    {"Accept": "text/html"},
    {"If-None-Match": "*"},
]


class Inside:
    """Stands in for the framework: notes what comes to it, and hands it on."""

    def __init__(self, app):
        self.app = app
        self.paths = []

    async def __call__(self, scope, receive, send):
        """Serve one connection."""
        self.paths.append(scope["path"])
        await self.app.inside(scope, receive, send)


@pytest.fixture
def house(new_api, store):
    """Yield an app, its version in service, what asks it by a way, and what is left to it."""
    version = put_into_service(store, 1).version
    with new_api(cache_bytes=0) as api:
        inside = Inside(api.app)
        express = Express(inside, AppSettings())

        async def short(scope, receive, send):
            scope["app"] = api.app
            await express(scope, receive, send)

        def ask(way, path, method="GET", **options):
            async def send():
                transport = httpx.ASGITransport(way)
                async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
                    return await client.request(method, path.format(version=version), **options)

            return api.run(send())

        yield ask, short, api.app.inside, inside


@pytest.mark.parametrize("headers", HEADERS, ids=str)
@pytest.mark.parametrize("path", SHORT)
def test_the_short_way_gives_the_same_answer(house, path, headers):
    """Status, headers and bytes are the framework's, and the framework is not asked."""
    ask, short, long, inside = house
    ours, theirs = ask(short, path, headers=headers), ask(long, path, headers=headers)
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers.multi_items() == theirs.headers.multi_items()
    assert inside.paths == []


@pytest.mark.parametrize("path", LONG)
def test_all_else_is_left_to_the_framework(house, path):
    """Wrong, cold and other requests get its answers."""
    ask, short, long, inside = house
    ours, theirs = ask(short, path), ask(long, path)
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert len(inside.paths) == 1


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("HEAD", {}),
        ("POST", {}),
        ("GET", {"headers": {"Origin": "http://elsewhere.example"}}),
        ("GET", {"headers": {"Host": "elsewhere.example"}}),
        ("GET", {"headers": [("Host", "127.0.0.1:8000"), ("Host", "127.0.0.1:8000")]}),
        ("GET", {"headers": [("Host", ""), ("Host", "127.0.0.1:8000")]}),
        ("GET", {"content": b"{}"}),
    ],
)
def test_what_may_be_forbidden_is_left_to_the_framework(house, method, options):
    """Other methods, other origins, other hosts, and requests with a body."""
    ask, short, long, inside = house
    ours, theirs = (ask(way, "/cats?seed=7", method, **options) for way in (short, long))
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert len(inside.paths) == 1


def test_a_foreign_host_is_welcome_where_a_key_is_configured(house):
    """Reading is free then, by whatever name the service is called."""
    ask, *_, inside = house
    express = Express(inside, AppSettings(api_key="k" * 20))

    async def short(scope, receive, send):
        scope["app"] = inside.app
        await express(scope, receive, send)

    assert ask(short, "/cats?seed=7", headers={"Host": "cats.example"}).status_code == 200
    assert inside.paths == []


def test_an_odd_scheme_of_a_proxy_is_no_failure(house):
    """The server takes `X-Forwarded-Proto: wss` over; a Host without a port is still read."""
    ask, short, *_ = house

    async def odd(scope, receive, send):
        await short({**scope, "scheme": "wss"}, receive, send)

    assert ask(odd, "/cats?seed=7", headers={"Host": "localhost"}).status_code == 200


def test_random_cats_take_the_short_way_too(house):
    """Two requests without a seed show different cats."""
    ask, short, _, inside = house
    first, second = (ask(short, "/cats") for _ in range(2))
    assert first.headers["cattery-seeds"] != second.headers["cattery-seeds"]
    assert first.headers["cache-control"] == "no-store"
    assert inside.paths == []


def test_a_version_that_is_not_in_memory_is_left_to_the_framework(house, store):
    """It may take its time to be loaded; the next request finds it at hand."""
    ask, short, _, inside = house
    other = publish(store, 2)
    path = f"/cats/dcgan@{other.version}/7.png"
    assert [ask(short, path).status_code for _ in range(2)] == [200, 200]
    assert inside.paths == [path]


def test_a_failure_on_the_short_way_is_told_as_everywhere(house, caplog, monkeypatch):
    """500 in the one error shape; the log says what it was."""
    ask, short, *_ = house

    async def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("app.express.respond", fail)
    with caplog.at_level(logging.ERROR, "app.express"):
        problem_of(ask(short, "/cats?seed=7"), 500, "internal-error")
    assert "a bug" in caplog.text


def test_answers_are_counted_under_the_routes_names(new_api, store):
    """A short way is no other route."""
    version = put_into_service(store, 1).version
    with new_api() as api:
        for path in ("/cats?seed=7", f"/cats/dcgan@{version}/7.png"):
            assert api.get(path).headers["x-content-type-options"] == "nosniff"
        count = api.app.state.telemetry.registry.get_sample_value
        for route in ("/cats", "/cats/{model}@{version}/{seed}.{format}"):
            labels = {"route": route, "method": "GET", "status": "200"}
            assert count("cattery_requests_total", labels) == 1


def test_a_client_that_hangs_up_on_the_short_way_leaves_the_line(new_api, store):
    """Its request is called off, and counted as such."""
    put_into_service(store, 1)
    with new_api() as api:
        engine = api.app.state.pool.at_hand(None).engine
        engine.may_go.clear()
        left = asyncio.Event()

        async def receive():
            if left.is_set():
                return {"type": "http.disconnect"}
            left.set()
            return {"type": "http.request", "body": b"", "more_body": False}

        sent = []

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/cats",
            "query_string": b"seed=7",
            "headers": [(b"host", b"127.0.0.1:8000")],
            "root_path": "",
        }
        api.run(api.app(scope, receive, send))
        engine.may_go.set()
        assert sent[0]["status"] == 499
        count = api.app.state.telemetry.registry.get_sample_value
        assert count("cattery_refused_total", {"reason": "hung_up"}) == 1


@pytest.mark.parametrize("query", [b"", b"n=3&seed=5", b"format=zip"])
def test_plain_parameters_are_read(query):
    """As the framework reads them."""
    read = parsed(query)
    assert read is not None
    assert read.n == (3 if b"n=3" in query else 1)
