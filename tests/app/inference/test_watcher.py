"""Tests of app.inference.watcher with a real Valkey."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from redis import Redis

from app.inference.watcher import Watcher, model_in
from tests.app.fake_engine import put_into_service, until
from worker.protocol import ANNOUNCEMENTS
from worker.valkey import EmbeddedValkey

NEVER_S = 3600.0


@pytest.fixture
def valkey(tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
async def watch():
    async with AsyncExitStack() as watchers:

        async def start(pool, **options):
            watcher = Watcher(pool, **options)
            await watcher.start()
            watchers.push_async_callback(watcher.close)

        yield start


def announce(valkey, model="dcgan") -> int:
    """Announce a move; return how many heard it."""
    with Redis.from_url(valkey.url) as redis:
        return int(redis.publish(ANNOUNCEMENTS, json.dumps({"model": model})))


async def heard(valkey, model="dcgan"):
    """Announce until somebody listens."""
    while not await asyncio.to_thread(announce, valkey, model):
        await asyncio.sleep(0.01)


async def test_an_announced_move_is_followed_at_once(store, new_pool, watch, valkey):
    """With an hour between looks the announcement alone brings the new version."""
    put_into_service(store, 1)
    pool = await new_pool()
    await watch(pool, redis_url=valkey.url, watch_s=NEVER_S)
    await heard(valkey)
    card = put_into_service(store, 2)
    await heard(valkey)
    await until(lambda: pool.serving()["dcgan"].version == card.version)


async def test_a_lost_message_costs_a_look(store, new_pool, watch):
    """Without any Redis the aliases are looked at, and the new version comes."""
    put_into_service(store, 1)
    pool = await new_pool()
    await watch(pool, redis_url="redis://127.0.0.1:1/0", watch_s=0.01)
    card = put_into_service(store, 2)
    await until(lambda: pool.serving()["dcgan"].version == card.version)


async def test_listening_goes_on_after_redis_was_away(store, new_pool, watch, valkey, monkeypatch):
    """The connection comes back by itself, and what was missed meanwhile is looked up."""
    monkeypatch.setattr("app.inference.watcher.RECONNECT_S", 0.01)
    put_into_service(store, 1)
    pool = await new_pool()
    await watch(pool, redis_url=valkey.url, watch_s=NEVER_S)
    await heard(valkey)
    await asyncio.to_thread(valkey.stop)
    missed = put_into_service(store, 2)
    await asyncio.to_thread(valkey.start)
    await until(lambda: pool.serving()["dcgan"].version == missed.version)
    card = put_into_service(store, 3)
    await heard(valkey)
    await until(lambda: pool.serving()["dcgan"].version == card.version)


async def test_watching_outlives_whatever_goes_wrong(store, new_pool, watch, monkeypatch):
    put_into_service(store, 1)
    pool = await new_pool()
    looks = []

    async def fail():
        looks.append(1)
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(pool, "refresh_all", fail)
    await watch(pool, redis_url="", watch_s=0.001)
    await until(lambda: len(looks) > 3)


@pytest.mark.parametrize("announcement", [b'{"model": 3}', b"{}", b"[]", b"dust", b"\xff"])
def test_an_announcement_that_makes_no_sense_means_any_model(announcement):
    assert (model_in(announcement), model_in(b'{"model": "dcgan"}')) == (None, "dcgan")
