"""Loading of versions: one at a time, and once for all requests that wait."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Generic, TypeVar

from app.inference.slot import Slot
from models.errors import CheckpointError

log = logging.getLogger(__name__)

RETRY_S = 30.0  # a damaged version is not loaded again before: each attempt takes seconds

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs work once for all callers that ask for it while it is running."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def __contains__(self, key: str) -> bool:
        """Return whether work with this key is running."""
        return key in self._tasks

    async def get(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for the running work with this key, or start it.

        Raises:
            Exception: Whatever the work raises, to every caller.
        """
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._end(key, done))
        # Shielded: one client that disconnects must not cancel it for the others.
        return await asyncio.shield(self._tasks[key])

    async def close(self) -> None:
        """Cancel whatever is running."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: str, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # or asyncio warns, if nobody waits any more


class Loader:
    """Loads slots, one at a time.

    Args:
        make: Loads a version of a model into a slot; blocks.
    """

    def __init__(self, make: Callable[[str, str], Slot]) -> None:
        self._make = make
        self._damaged: dict[str, tuple[CheckpointError, float]] = {}
        # A single thread: loading cold versions must not take all cores from those in service.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cattery-load")

    async def load(self, model: str, version: str) -> Slot:
        """Load a version, after those that were requested before.

        Raises:
            CheckpointError: It is damaged, or was within the last `RETRY_S`.
            CatteryError: Whatever `app.inference.slot.make_slot` raises.
        """
        name = f"{model}@{version}"
        self.refuse_damaged(name)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._make, model, version)
        except CheckpointError as err:
            log.warning("%s cannot be loaded: %s", name, err)
            self._damaged[name] = (err, monotonic() + RETRY_S)
            raise

    def refuse_damaged(self, name: str) -> None:
        """Raise the error of a version, "model@version", that failed to load recently.

        Raises:
            CheckpointError: It was damaged.
        """
        err, until = self._damaged.get(name, (None, 0.0))
        if err is not None and monotonic() < until:
            raise err
        self._damaged.pop(name, None)

    async def close(self) -> None:
        """Wait for the current load and cancel the others."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
