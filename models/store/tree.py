"""What the store needs of a file tree, whether a local folder or an object store."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

from models.errors import StoreError


class Tree(ABC):
    """Files by "/"-joined relative path; safe to use from many threads.

    A file is seen whole or not at all: readers never meet a half-written one. Whatever
    fails raises StoreError naming the path; only `read` and `local` raise
    FileNotFoundError, for a file that is not there.

    Attributes:
        url: Where the tree is, for messages.
        is_local: Whether its files can be opened where they lie.
    """

    is_local: ClassVar[bool]
    url: str

    @abstractmethod
    def check(self) -> None:
        """Make sure that the tree can be written, and clear what a crash left behind.

        Raises:
            StoreError: It cannot, and why.
        """

    def compare(self, path: str, data: bytes) -> None:
        """Make sure that a file reads as it was written.

        Raises:
            StoreError: It does not.
        """
        if self.read(path) != data:
            raise StoreError(f"The store {self.url} gives back other bytes than written.")

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: It cannot be read.
        """

    @abstractmethod
    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the content of those files that are there, by path."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a file in one atomic step, replacing what was there."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists; of several callers exactly one gets True."""

    @abstractmethod
    def append(self, path: str, data: bytes) -> None:
        r"""Add whole lines to a file, making it if needed.

        What a crash left as an unfinished last line is closed with a "\n" first, so
        that it cannot swallow the new one. An object store rewrites the file, so there
        only one process at a time may append.
        """

    @abstractmethod
    def put(self, path: str, local: Path) -> None:
        """Move a local file in, in one atomic step; the caller's file may be gone after."""

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
        """Return what lies in a folder, sorted; nothing when there is no such folder."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file or a folder with all in it; nothing happens if it is not there."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return the space left in bytes, or None where there is no such limit."""

    @abstractmethod
    def lock(self, path: str) -> AbstractContextManager[None]:
        """Keep others who lock the same path out: threads, and on a local tree processes."""


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
    """Turn what the tree's medium raises into a StoreError.

    Args:
        action: A verb for the message: "read", "write", ...
        where: The path or URL concerned.
        absent: Whether FileNotFoundError passes through.
    """
    try:
        yield
    except StoreError:
        raise
    except FileNotFoundError as err:
        if absent:
            raise
        raise StoreError(f"Could not {action} {where}: it is not there.") from err
    except Exception as err:  # each fsspec backend has an error tree of its own
        raise StoreError(f"Could not {action} {where}: {_in_words(err)}.") from err


def _in_words(err: Exception) -> str:
    """One line that says what happened, without a path said twice."""
    said = getattr(err, "strerror", None) or str(err) or type(err).__name__
    return " ".join(str(said).split()).rstrip(".")
