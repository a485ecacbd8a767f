"""Writes to an object store that take effect only if the object is still what was read."""

import hashlib
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

_CONFLICT = 409  # another conditional write of the object is under way
_PRECONDITION_FAILED = 412

FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 1.0


class Conditions(ABC):
    """Conditional writes by tag: a text that changes whenever an object does."""

    @abstractmethod
    def tag(self, place: str) -> str | None:
        """Return an object's tag, or None if there is no such object."""

    @abstractmethod
    def put(self, place: str, data: bytes, tag: str | None) -> bool:
        """Write an object if it has this tag, None for absent; return whether it had."""


class EtagConditions(Conditions):
    """ETags, with the headers If-Match and If-None-Match, as in S3.

    Args:
        fs: The fsspec file system, which must pass `IfMatch` on.
    """

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def tag(self, place: str) -> str | None:
        try:
            info = self._fs.info(place)
        except FileNotFoundError:
            return None
        return str(info["ETag"]) if info.get("type") == "file" else None

    def put(self, place: str, data: bytes, tag: str | None) -> bool:
        condition = {"mode": "create"} if tag is None else {"IfMatch": tag}
        try:
            self._fs.pipe_file(place, data, **condition)
        except (FileExistsError, FileNotFoundError):  # created, or deleted, meanwhile
            return False
        except OSError as err:
            if _status(err) in (_CONFLICT, _PRECONDITION_FAILED):
                return False
            raise
        return True


class MemoryConditions(Conditions):
    """Checksums, compared under a lock: for fsspec's file system in memory.

    Args:
        fs: The fsspec file system.
    """

    def __init__(self, fs: Any) -> None:
        self._fs = fs
        self._guard = threading.Lock()

    def tag(self, place: str) -> str | None:
        try:
            return hashlib.sha256(self._fs.cat_file(place)).hexdigest()
        except FileNotFoundError:
            return None

    def put(self, place: str, data: bytes, tag: str | None) -> bool:
        with self._guard:
            if self.tag(place) != tag:
                return False
            self._fs.pipe_file(place, data)
            return True


def conditions_of(fs: Any) -> Conditions:
    """Return the conditional writes of a file system."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return MemoryConditions(fs) if "memory" in protocols else EtagConditions(fs)


def attempts(patience_s: float) -> Iterator[None]:
    """Yield for each attempt at a contended write, with growing random pauses, until too late."""
    end, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
    while True:
        yield
        if time.monotonic() > end:
            return
        time.sleep(pause * random.random())  # noqa: S311 - to take turns, not a secret
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _status(err: OSError) -> int | None:
    """Return the HTTP status behind an error; s3fs keeps the client's own as its cause."""
    response = getattr(err.__cause__, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None
