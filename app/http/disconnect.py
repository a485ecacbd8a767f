"""Ending work that nobody waits for any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


class HungUp(Exception):
    """The client closed the connection before its answer was ready."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gives; cancel it when the client hangs up.

    A server does not cancel a handler whose client has left, so this watches the
    connection beside the work. The request's body must not be needed any more.

    Raises:
        HungUp: The client left first.
    """
    working = asyncio.current_task()
    has_left = False

    async def watch() -> None:
        nonlocal has_left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_left = True
        if working is not None:
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        # Ours is taken back; if somebody else has called it off too, that stands.
        if not has_left or working is None or working.uncancel() > 0:
            raise
        raise HungUp from None
    finally:
        watching.cancel()
