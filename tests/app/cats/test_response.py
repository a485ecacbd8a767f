"""Tests of app.cats.response."""

import asyncio
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from app.cats.response import CLIENT_CLOSED_REQUEST, send
from app.observability.metrics import Telemetry

HEADERS = {"Content-Type": "image/png", "Content-Disposition": "inline", "ETag": '"a"'}


class Work:
    """Makes a body when allowed to, and knows whether it was begun and whether it was ended."""

    def __init__(self):
        self.may_go = asyncio.Event()
        self.begun = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self, _renderer):
        """Wait, then return a body."""
        self.begun.set()
        try:
            await self.may_go.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return b"body"


def request_of(telemetry, receive=None, method="GET", **headers) -> Request:
    """Return a request; without `receive` its client stays for ever."""
    app = SimpleNamespace(state=SimpleNamespace(renderer=None, telemetry=telemetry))
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw, "app": app}
    return Request(scope, receive or asyncio.Event().wait)  # type: ignore[arg-type]  # it never returns


async def test_what_is_rendered_is_sent_with_its_length():
    work = Work()
    work.may_go.set()
    response = await send(request_of(Telemetry()), HEADERS, work)
    assert (response.status_code, response.body) == (200, b"body")
    assert response.headers["content-length"] == "4"
    assert response.headers["etag"] == '"a"'


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"method": "HEAD"}, 200), ({"if_none_match": '"a"'}, 304), ({"if_none_match": "*"}, 304)],
)
async def test_who_has_it_or_wants_its_headers_costs_nothing(asked, status):
    work = Work()
    response = await send(request_of(Telemetry(), **asked), HEADERS, work)
    assert (response.status_code, response.body) == (status, b"")
    assert ("content-type" in response.headers) == (status == 200)
    assert not work.begun.is_set()


async def test_what_is_at_hand_is_neither_made_nor_waited_for():
    work = Work()
    response = await send(request_of(Telemetry()), HEADERS, work, lambda: b"ready")
    assert (response.status_code, response.body) == (200, b"ready")
    assert not work.begun.is_set()


async def test_work_for_a_client_who_hangs_up_is_ended_and_counted():
    work, telemetry = Work(), Telemetry()

    async def receive():
        await work.begun.wait()
        return {"type": "http.disconnect"}

    response = await send(request_of(telemetry, receive), HEADERS, work)
    assert response.status_code == CLIENT_CLOSED_REQUEST
    assert work.was_cancelled
    labels = {"reason": "hung_up"}
    assert telemetry.registry.get_sample_value("cattery_refused_total", labels) == 1
