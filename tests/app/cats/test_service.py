"""Tests of app.cats.service: what a full queue refuses, and what it does not."""

import asyncio

from tests.app.fake_engine import until


async def test_a_full_queue_refuses_only_what_needs_it(serving, version):
    """Who asks for headers or links, or for cats that are remembered, has them at once."""
    many = "/cats?n=64&seed=1"
    asked = [
        (many, "GET", {}, 503),
        ("/cats?n=64", "GET", {}, 503),
        (f"{many}&format=zip", "GET", {}, 503),
        (many, "HEAD", {}, 200),
        (many, "GET", {"If-None-Match": "*"}, 304),
        ("/cats?n=64&format=json", "GET", {}, 200),
        ("/cats?seed=7", "GET", {}, 200),
    ]
    async with serving(max_batch=4, max_waiting_images=64) as (app, client):
        await client.get("/cats?seed=7")
        engine = app.state.pool.serving()["dcgan"].engine
        engine.may_go.clear()
        crowd = [asyncio.create_task(client.get("/cats?n=32")) for _ in range(2)]
        await until(lambda: app.state.batcher.waiting > 48)
        for path, method, headers, status in asked:
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == status, (path, method, headers)
        engine.may_go.set()
        assert [(await each).status_code for each in crowd] == [200, 200]
