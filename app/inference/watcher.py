"""Following the aliases: hearing of moves, and looking for oneself.

A move is announced over Redis; every process also looks every few seconds, so a
lost message costs seconds, not correctness, and Redis may be away altogether.
"""

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
    """Keeps a pool at what the store says.

    Args:
        pool: What follows.
        redis_url: Where moves are announced; empty: nowhere, looking is enough.
        watch_s: How often to look, seconds.
    """

    def __init__(self, pool: GeneratorPool, *, redis_url: str, watch_s: float) -> None:
        self._pool = pool
        self._redis_url = redis_url
        self._watch_s = watch_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to look and to listen."""
        self._tasks = [asyncio.create_task(self._look())]
        if self._redis_url:
            self._tasks.append(asyncio.create_task(self._listen()))

    async def close(self) -> None:
        """Stop both."""
        going = set(self._tasks)
        while going:
            # Again and again: one that comes together with an answer is swallowed on the way
            # through redis-py (seen with 8.1 on Python 3.11), and waiting would never end.
            for task in going:
                task.cancel()
            _, going = await asyncio.wait(going, timeout=0.1)
        self._tasks = []

    async def _look(self) -> None:
        while True:
            await self._refresh(None)
            await asyncio.sleep(self._watch_s)

    async def _listen(self) -> None:
        """Hear announcements; connect again for as long as it takes."""
        is_away = False
        while True:
            try:
                await self._hear()
            except (RedisError, OSError) as err:
                if not is_away:  # once per absence, not once per try
                    log.warning("announcements cannot be heard, looking goes on: %s", err)
                is_away = True
            else:
                is_away = False
            await asyncio.sleep(RECONNECT_S)

    async def _hear(self) -> None:
        """Follow announcements until the connection ends."""
        redis = Redis.from_url(self._redis_url, socket_connect_timeout=2, health_check_interval=10)
        async with redis, redis.pubsub() as channel:
            await channel.subscribe(ANNOUNCEMENTS)
            # What was announced before this moment was announced to nobody here.
            await self._refresh(None)
            async for message in channel.listen():
                if message["type"] == "message":
                    await self._refresh(model_in(message["data"]))

    async def _refresh(self, model: str | None) -> None:
        """Follow one model, or all; whatever goes wrong, watching goes on."""
        try:
            if model is None:
                await self._pool.refresh_all()
            else:
                await self._pool.refresh(model)
        except Exception:
            log.exception("the aliases could not be followed")


def model_in(announcement: Any) -> str | None:
    """Return the model that an announcement names; None when it names none."""
    try:
        model = json.loads(announcement)["model"]
    except (ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None
