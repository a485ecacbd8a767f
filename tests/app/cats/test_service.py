"""Tests of app.cats.service: what a full queue refuses, and what it does not."""

import asyncio

import pytest

from tests.app.client import client_of, run
from tests.app.fake_engine import put_into_service, until


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/cats?n=64&seed=1", "GET", {}, 503),
        ("/cats?n=64", "GET", {}, 503),
        ("/cats?n=64&seed=1&format=zip", "GET", {}, 503),
        ("/cats?n=64&seed=1", "HEAD", {}, 200),
        ("/cats?n=64&seed=1", "GET", {"If-None-Match": "*"}, 304),
        ("/cats?n=64&format=json", "GET", {}, 200),
        ("/cats?seed=7", "GET", {}, 200),
    ],
)
def test_a_full_queue_refuses_only_what_needs_it(serving, store, path, method, headers, status):
    """Who asks for headers or links, or for cats that are remembered, has them at once."""
    put_into_service(store, 1)

    async def test():
        async with serving(max_batch=4, max_waiting_images=64) as app, client_of(app) as client:
            await client.get("/cats?seed=7")
            engine, batcher = app.state.pool.serving()["dcgan"].engine, app.state.batcher
            engine.may_go.clear()
            crowd = [asyncio.create_task(client.get("/cats?n=32")) for _ in range(2)]
            await until(lambda: batcher.waiting > 48)
            answer = await client.request(method, path, headers=headers)
            engine.may_go.set()
            assert [(await each).status_code for each in crowd] == [200, 200]
            return answer

    assert run(test()).status_code == status
