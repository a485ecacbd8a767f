"""Tests of serving over a real socket: swaps under load, clients that leave, a busy device."""

import asyncio
import io
import socket
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

from app.main import create_app
from app.settings import AppSettings
from tests.app.fake_engine import load_painting, publish, red_of, until

CLIENTS = 32
SWAPS = 50


@contextmanager
def listening(app) -> Iterator[str]:
    """Serve an app by uvicorn in a thread of its own; yield its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the server ended before it had begun"
            assert monotonic() < end
            sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def app(store, tmp_path):
    """Return the whole front end over the store, with no Redis within reach."""
    options: dict = {"redis_url": "redis://127.0.0.1:1/0", "device": "cpu", "max_batch": 16}
    settings = AppSettings(data=tmp_path, watch_s=0.02, keep_versions=2, **options)
    return create_app(settings, store=store, load=load_painting)


@pytest.fixture
def address(app, version) -> Iterator[str]:
    """Return where the app answers, with a first version in service."""
    with listening(app) as address:
        yield address


@pytest.fixture
async def client(address) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        yield client


def reds_of(response: httpx.Response) -> set[int]:
    """Return the reds of all tiles of an answer: one, unless versions were mixed."""
    if response.headers["content-type"] == "application/zip":
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        files = [archive.read(name) for name in archive.namelist()]
    else:
        files = [response.content]
    reds = [np.asarray(Image.open(io.BytesIO(png)))[:, :, 0] for png in files]
    return {int(red) for picture in reds for red in np.unique(picture)}


async def test_not_one_request_fails_and_no_sheet_mixes_versions_through_fifty_swaps(
    store, version, client
):
    """32 clients ask without a pause while 50 versions come into service one after another."""
    cards = [publish(store, number) for number in range(2, SWAPS + 2)]
    versions = {version: red_of(1)} | {card.version: red_of(i) for i, card in enumerate(cards, 2)}
    queries = ["n=16", "n=1&seed=3", "n=64", "n=4&format=zip"]
    answers: list[httpx.Response] = []
    is_over = asyncio.Event()

    async def ask(number):
        while not is_over.is_set():
            answers.append(await client.get(f"/cats?{queries[number % len(queries)]}"))

    clients = [asyncio.create_task(ask(number)) for number in range(CLIENTS)]
    for card in cards:
        store.aliases.promote("dcgan", card.version)
        end, seen = monotonic() + 20, None
        while seen != card.version:
            assert monotonic() < end, "the swap did not come"
            seen = (await client.head("/cats?seed=0")).headers["cattery-version"]
    is_over.set()
    await asyncio.gather(*clients)

    assert {200} == {answer.status_code for answer in answers}
    assert len(answers) >= CLIENTS
    for answer in answers:
        assert {versions[answer.headers["cattery-version"]]} == reds_of(answer)
    assert len({answer.headers["cattery-version"] for answer in answers}) > len(versions) / 2


async def held_up(app, client):
    """Return an engine that is busy with a first cat, and who waits for that."""
    engine = app.state.pool.serving()["dcgan"].engine
    engine.may_go.clear()
    first = asyncio.create_task(client.get("/cats?seed=1"))
    await until(engine.is_busy.is_set)
    return engine, first


async def test_a_client_that_hangs_up_never_reaches_the_device(app, address, client):
    """A closed connection leaves the queue; the pictures of those who stay are rendered."""
    engine, first = await held_up(app, client)
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as leaves:
        leaves.sendall(b"GET /cats?seed=2 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: app.state.batcher.waiting == 1)
    await until(lambda: app.state.batcher.waiting == 0)
    stays = asyncio.create_task(client.get("/cats?seed=3"))
    await until(lambda: app.state.batcher.waiting == 1)
    engine.may_go.set()
    assert [(await task).status_code for task in (first, stays)] == [200, 200]
    assert engine.batches == [[1], [3]]


async def test_the_process_answers_while_its_device_is_busy(app, client):
    """Health, metrics and what needs no forward pass come at once, and without Redis."""
    engine, first = await held_up(app, client)
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/cats?n=64&seed=1&format=json")).status_code == 200
    assert "cattery_waiting_images 0.0" in (await client.get("/metrics")).text
    assert not first.done()
    engine.may_go.set()
    assert (await first).status_code == 200
