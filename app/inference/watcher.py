"""Keeps the pool up to date with the store's aliases, by announcements and by polling."""

import asyncio
import json
import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.inference.pool import GeneratorPool
from worker.protocol import ANNOUNCEMENTS

log = logging.getLogger(__name__)

RECONNECT_S = 1.0


class Watcher:
    """Keeps a pool up to date with the store.

    Args:
        pool: Pool to refresh.
        redis_url: URL of the Redis for announcements; empty for polling alone.
        watch_s: Polling interval, seconds.
    """

    # Both: a lost announcement costs seconds, not correctness, and Redis may be unavailable.

    def __init__(self, pool: GeneratorPool, *, redis_url: str, watch_s: float) -> None:
        self._pool = pool
        self._redis_url = redis_url
        self._watch_s = watch_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start polling and listening."""
        self._tasks = [asyncio.create_task(self._poll())]
        if self._redis_url:
            self._tasks.append(asyncio.create_task(self._listen()))

    async def close(self) -> None:
        """Stop both tasks."""
        going = set(self._tasks)
        while going:
            # Repeatedly: redis-py swallows a cancellation that arrives together with a reply
            # (seen with 8.1 on Python 3.11), and waiting for the task would never end.
            for task in going:
                task.cancel()
            _, going = await asyncio.wait(going, timeout=0.1)
        self._tasks = []

    async def _poll(self) -> None:
        while True:
            await self._refresh(None)
            await asyncio.sleep(self._watch_s)

    async def _listen(self) -> None:
        """Follow announcements, and reconnect whenever that fails."""
        is_away = False
        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as err:
                if not is_away:  # once per outage, not once per attempt
                    log.warning("Redis is unavailable, polling the aliases instead: %s", err)
                is_away = True
            else:
                is_away = False
            await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        """Follow announcements until the connection ends."""
        redis = Redis.from_url(self._redis_url, socket_connect_timeout=2, health_check_interval=10)
        async with redis, redis.pubsub() as channel:
            await channel.subscribe(ANNOUNCEMENTS)
            # Announcements from before the subscription were missed.
            await self._refresh(None)
            async for message in channel.listen():
                if message["type"] == "message":
                    await self._refresh(model_in(message["data"]))

    async def _refresh(self, model: str | None) -> None:
        """Refresh one model, or all; no error ends the watcher."""
        try:
            if model is None:
                await self._pool.refresh_all()
            else:
                await self._pool.refresh(model)
        except Exception:
            log.exception("The pool could not be updated")


def model_in(announcement: Any) -> str | None:
    """Return the model that an announcement names; None if it is malformed."""
    try:
        model = json.loads(announcement)["model"]
    except (ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None
