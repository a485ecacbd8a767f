"""Loading versions: one at a time, each once for all who wait, damaged ones seldom."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Generic, TypeVar

from app.inference.slot import Slot
from models.errors import CheckpointError

log = logging.getLogger(__name__)

RETRY_S = 30.0
"""A version that was found damaged is looked at again after this long."""

T = TypeVar("T")


class Once(Generic[T]):
    """Work that is done once for all who ask for it while it is under way."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether work with this key is under way."""
        return key in self._tasks

    async def get(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for the work under way with this key, or begin it.

        Raises:
            Exception: What the work raises, to all who wait.
        """
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._end(key, done))
        # Shielded: one client that hangs up must not spoil it for the others.
        return await asyncio.shield(self._tasks[key])

    async def close(self) -> None:
        """Cancel whatever is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: str, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # seen, so that asyncio is silent when nobody waits any more


class Loader:
    """Makes slots in a thread of its own.

    One thread: a crowd asking for cold versions must not take the device from the served.

    Args:
        make: Makes a slot of a model's version; blocks.
    """

    def __init__(self, make: Callable[[str, str], Slot]) -> None:
        self._make = make
        self._damaged: dict[str, tuple[CheckpointError, float]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cattery-load")

    async def load(self, model: str, version: str) -> Slot:
        """Load a version, after those that were asked for before.

        Raises:
            CheckpointError: It is damaged, or was a moment ago.
            CatteryError: Whatever `app.inference.slot.make_slot` raises.
        """
        name = f"{model}@{version}"
        self.refuse_damaged(name)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._make, model, version)
        except CheckpointError as err:
            log.warning("%s cannot be used: %s", name, err)
            self._damaged[name] = (err, monotonic() + RETRY_S)
            raise

    def refuse_damaged(self, name: str) -> None:
        """Raise what was found wrong with a version, "model@version", not long ago.

        Raises:
            CheckpointError: It was damaged.
        """
        err, until = self._damaged.get(name, (None, 0.0))
        if err is not None and monotonic() < until:
            raise err
        self._damaged.pop(name, None)

    async def close(self) -> None:
        """Wait for the load under way, and begin no other."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
