"""The interface of a file tree, in a local folder or an object store."""

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

from models.errors import BadEntry, CatteryError, StoreError
from models.store.problems import Problems

# What the file system says of one file: something is in its way, or it belongs to another user.
_ONE_FILE = {errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG}


class Tree(ABC):
    """Files by "/"-joined relative path; safe to use from many threads.

    Readers never see a half-written file. All failures raise StoreError with the path; only
    `read` and `local` raise FileNotFoundError, for a file that is not there.

    Attributes:
        url: Where the tree is, for messages.
        is_local: Whether its files can be opened in place.
        problems: Files that were left out of lists.
    """

    is_local: ClassVar[bool]
    url: str
    problems: Problems

    @abstractmethod
    def check(self) -> None:
        """Check that the tree is writable, and clean up after crashes.

        Raises:
            StoreError: It cannot, and why.
        """

    def compare(self, path: str, data: bytes) -> None:
        """Raise StoreError unless a file reads as it was written."""
        if self.read(path) != data:
            raise StoreError(f"The store {self.url} returns other bytes than were written.")

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: It cannot be read.
        """

    @abstractmethod
    def read_many(self, paths: Sequence[str]) -> dict[str, bytes | BadEntry]:
        """Return the content of those files that are there, or what is wrong, by path."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a file in one atomic step, replacing what was there."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists; of several callers exactly one gets True."""

    @abstractmethod
    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> bytes:
        """Replace a file by what a function makes of it; no concurrent update is lost.

        Args:
            path: The file.
            change: From the content, None where there is no file, to the new content. It may
                be called repeatedly; what it raises leaves the file as it is.

        Returns:
            The new content.
        """

    @abstractmethod
    def append(self, path: str, data: bytes) -> None:
        r"""Append whole lines to a file, creating it if needed.

        A last line that a crash left unfinished is closed with "\n" first. An object store
        rewrites the file, which should be small.
        """

    @abstractmethod
    def put(self, path: str, local: Path) -> None:
        """Move a local file in atomically; the caller's file may be gone afterward."""

    @abstractmethod
    def local(self, path: str, cache: Path | None = None) -> Path:
        """Return a local file with the content, read only.

        Args:
            path: The file.
            cache: Folder where an object store's copies are kept, each downloaded once.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: It cannot be read, or `cache` is needed and missing.
        """

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""

    @abstractmethod
    def stamp(self, path: str) -> Hashable | None:
        """Return a value that changes when the file does, or None if that is not cheap."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none when there is no such folder."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file or a folder with its content, if it is there."""

    @abstractmethod
    def move(self, path: str, target: str) -> None:
        """Move a file, or a folder with its content, to where nothing is."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return the space left in bytes, or None where there is no such limit."""

    @abstractmethod
    def lock(self, path: str) -> AbstractContextManager[None]:
        """Exclude other holders of the same path: threads and processes."""


def checked(path: str) -> str:
    """Return the path if it stays inside the tree.

    Raises:
        StoreError: It is absolute, climbs, or has an empty part.
    """
    if any(part in ("", ".", "..") or "\0" in part for part in path.split("/")):
        raise StoreError(f"{path!r} is not a path inside the store.")
    return path


@contextmanager
def reported(action: str, where: str, *, absent: bool = False) -> Iterator[None]:
    """Turn errors of the file system into StoreError; ours pass through.

    Args:
        action: A verb for the message: "read", "write", ...
        where: The path or URL concerned.
        absent: Whether FileNotFoundError passes through.
    """
    try:
        yield
    except CatteryError:
        raise
    except FileNotFoundError as err:
        if absent:
            raise
        raise StoreError(f"Could not {action} {where}: it is not there.") from err
    except Exception as err:  # each fsspec backend has an error tree of its own
        detail = f"Could not {action} {where}: {_in_words(err)}."
        is_one = getattr(err, "errno", None) in _ONE_FILE
        raise (BadEntry(where, detail) if is_one else StoreError(detail)) from err


def _in_words(err: Exception) -> str:
    """Return an error on one line, without its path."""
    said = getattr(err, "strerror", None) or str(err) or type(err).__name__
    return " ".join(str(said).split()).rstrip(".")


def with_lines(before: bytes | None, lines: bytes) -> bytes:
    r"""Return a file's content with lines appended, a torn last line being closed by "\n"."""
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    return (before or b"") + gap + lines


def whole(answer: bytes | BadEntry) -> bytes:
    """Return the content that `read_many` found; BadEntry if it could not be read."""
    if isinstance(answer, BadEntry):
        raise answer
    return answer
