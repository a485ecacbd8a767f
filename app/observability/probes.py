"""Checks of what may hang, for health probes that must not."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from models.errors import CatteryError

OK = "ok"


class Probe:
    """A blocking check that has a thread of its own, and runs once for all who ask.

    A check that hangs holds this one thread: later calls wait for the same check, and none
    occupies a thread that requests need. Used from one event loop.

    Args:
        check: Raises CatteryError with what is wrong.
        timeout_s: Longest wait for it, seconds.
    """

    def __init__(self, check: Callable[[], object], timeout_s: float = 5.0) -> None:
        self._check = check
        self._timeout_s = timeout_s
        self._running: asyncio.Future[str] | None = None

    async def result(self) -> str:
        """Return `OK`, or what is wrong; whatever the check raises is raised if unexpected."""
        if self._running is None or self._running.done():
            self._running = self._start()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(self._running)
        except TimeoutError:
            return f"no response within {self._timeout_s:g} s."

    def _start(self) -> "asyncio.Future[str]":
        loop = asyncio.get_running_loop()
        found: asyncio.Future[str] = loop.create_future()

        def run() -> None:
            outcome: str | Exception
            try:
                self._check()
            except CatteryError as err:
                outcome = str(err)
            except Exception as err:  # noqa: BLE001 - raised again where it is awaited
                outcome = err
            else:
                outcome = OK
            with suppress(RuntimeError):  # the loop has closed meanwhile
                loop.call_soon_threadsafe(_settle, found, outcome)

        # A daemon: one that hangs must not hold up the exit.
        threading.Thread(target=run, name="probe", daemon=True).start()
        return found


def _settle(found: "asyncio.Future[str]", outcome: str | Exception) -> None:
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
        found.exception()  # or asyncio warns, if nobody waits any more
    else:
        found.set_result(outcome)
