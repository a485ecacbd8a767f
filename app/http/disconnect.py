"""Canceling work whose client has disconnected."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


class HungUp(Exception):
    """The client closed the connection before its response was ready."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of the work; cancel it if the client disconnects.

    Args:
        request: Its body must have been read, or not be needed.
        work: Runs in the current task.

    Raises:
        HungUp: The client disconnected first.
    """
    # ASGI servers do not cancel a handler whose client has left; somebody has to watch.
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
        # Our own cancellation ends here; one by somebody else must go on.
        if not has_left or working is None or working.uncancel() > 0:
            raise
        raise HungUp from None
    finally:
        watching.cancel()
