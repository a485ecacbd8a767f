"""A lock that processes on several machines share: an object that its holder keeps renewing."""

import logging
import threading
import time
from typing import Any
from uuid import uuid4

from models.store.conditional import Conditions

LEASE_S = 30.0  # a lock that nobody renewed for this long belongs to a dead process
RENEW_S = 5.0
POLL_S = 0.2

_log = logging.getLogger(__name__)


class ObjectLock:
    """Excludes other holders of one object, across machines. Used by one thread.

    A holder that dies leaves the object behind; whoever has seen it unchanged for `LEASE_S` by
    their own clock takes it over, so the machines' clocks need not agree. A holder that cannot
    reach the store for that long may lose it unawares: what must never be lost is written
    conditionally as well (`Tree.update`).

    Args:
        conditions: Of the object store.
        fs: The fsspec file system.
        place: The lock's object.
    """

    def __init__(self, conditions: Conditions, fs: Any, place: str) -> None:
        self._conditions, self._fs, self._place = conditions, fs, place
        self._owner = uuid4().hex
        self._tag: str | None = None
        self._renewals = 0
        self._released = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="store-lock", daemon=True)

    def acquire(self) -> None:
        """Wait until the lock is free, and take it."""
        seen: str | None = None
        since = time.monotonic()
        while not self._write(seen if time.monotonic() - since > LEASE_S else None):
            tag = self._conditions.tag(self._place)
            if tag != seen:
                seen, since = tag, time.monotonic()
            time.sleep(POLL_S)
        self._renewer.start()

    def release(self) -> None:
        """Give the lock back."""
        self._released.set()
        self._renewer.join()
        # Emptied before it is deleted: a conditional write fails for a lock that was taken over.
        is_emptied = self._conditions.put(self._place, b"", self._tag)
        if not is_emptied and self._is_ours():  # the last renewal's tag was lost
            is_emptied = self._conditions.put(self._place, b"", self._conditions.tag(self._place))
        if is_emptied:
            self._fs.rm_file(self._place)

    def _write(self, expected: str | None) -> bool:
        """Write the object if it is still the expected one; return whether it was."""
        self._renewals += 1  # each renewal has other bytes, and so another tag
        data = f"{self._owner} {self._renewals}\n".encode()
        is_written = self._conditions.put(self._place, data, expected)
        # Ours after all: an earlier write got through, and only its answer, or its tag, was lost.
        if not is_written and not self._is_ours():
            return False
        self._tag = self._conditions.tag(self._place)
        return True

    def _is_ours(self) -> bool:
        try:
            return bytes(self._fs.cat_file(self._place)).startswith(self._owner.encode())
        except FileNotFoundError:
            return False

    def _renew(self) -> None:
        while not self._released.wait(RENEW_S):
            try:
                if not self._write(self._tag):
                    _log.warning("Lost the lock %s: another process took it over.", self._place)
                    return
            except Exception as err:  # noqa: BLE001 - each backend has an error tree of its own
                _log.warning("Could not renew the lock %s: %s", self._place, err)
