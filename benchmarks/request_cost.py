"""Measure what a request for a cat costs in process, over the rendering.

The app is called as a server calls it, with its routes, gate, counters and headers, but its
renderer returns one and the same file after one turn of the event loop, first without a cache and
then with one, from which all but random cats come. What is measured is the processor time of the
event loop's thread, so whatever else the machine does hardly counts.

Aim: `GET /cats` at most 120 us.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Any

from fastapi import FastAPI
from starlette.types import Message

from app.main import create_app
from app.settings import AppSettings

AIM_US = 120
FILE = bytes(8000)
"""As large as the PNG of a cat of 64 px."""

HEADERS = [(b"host", b"127.0.0.1:8000"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")]


def main() -> None:
    """Print microseconds per request of each address."""
    arguments = _arguments()
    with TemporaryDirectory() as folder:
        print("us of a core per request                  least  median")
        usual = AppSettings(data=Path(folder), redis_url="", load="lazy")
        for cache_bytes in (0, 1 << 20):
            app = create_app(usual.model_copy(update={"cache_bytes": cache_bytes}))
            print("rendered" if not cache_bytes else "in memory")
            asyncio.run(_measure(app, arguments.requests, arguments.rounds))
    print(f"aim for GET /cats: at most {AIM_US} us")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="in a round")
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


async def _measure(app: FastAPI, requests: int, rounds: int) -> None:
    async with app.router.lifespan_context(app):
        app.state.renderer.cats = _cats
        permalink = f"/cats/{app.state.pool.if_loaded(None).name}/7.png"
        paths = {"/cats": "", "/cats?seed=7": "seed=7", permalink: ""}
        for path, query in paths.items():
            scope = _scope(path.partition("?")[0], query)
            await _round_us(app, scope, requests)
            times = [await _round_us(app, scope, requests) for _ in range(rounds)]
            print(f"GET {path:34} {min(times):7.1f} {median(times):7.1f}")


async def _cats(_slot: object, seeds: Sequence[int], *_: object, **__: object) -> list[bytes]:
    """Stand in for the renderer."""
    await asyncio.sleep(0)
    return [FILE] * len(seeds)


def _scope(path: str, query: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": HEADERS,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


async def _round_us(app: FastAPI, scope: dict[str, Any], requests: int) -> float:
    """Return microseconds of processor time per request, one request after another."""
    statuses = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    began = thread_time()
    for _ in range(requests):
        await app(scope.copy(), _Body().receive, send)
    took_s = thread_time() - began
    assert statuses == [200] * requests
    return 1e6 * took_s / requests


class _Body:
    """An empty body, after which the client waits for its answer."""

    def __init__(self) -> None:
        self._is_read = False

    async def receive(self) -> Message:
        """Return the body once, and nothing more."""
        if self._is_read:
            await asyncio.get_running_loop().create_future()
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}


if __name__ == "__main__":
    main()
