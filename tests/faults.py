"""A store in a folder whose operations fail, or whose process dies, at a chosen moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import StoreError
from models.store import Store
from models.store.aliases import AliasTable
from models.store.datasets import Datasets
from models.store.jobs import Jobs
from models.store.local_tree import LocalTree
from models.store.versions import Versions

HOWS = ("full", "unsure", "before", "torn", "after")
"""What happens from one operation on.

"full": nothing more can be written, and a log gets half a line. "unsure": what is written is
there, but syncing it fails. "before", "torn", "after": the power goes, before the operation, while
a log is appended to, or after the operation.
"""


class PowerCut(BaseException):
    """The process is gone: no handler of the code under test may see this."""


class FaultyTree(LocalTree):
    """A folder in which writing fails.

    Args:
        root: The folder.
        at: Number of the first writing operation that fails, from 0.
        how: One of HOWS.
        until: Number of the first operation for which there is room again.
    """

    def __init__(self, root: Path, at: int, how: str, until: int = 1 << 30) -> None:
        super().__init__(root)
        self.at, self.how, self.until = at, how, until
        self.count = 0

    def write(self, path: str, data: bytes) -> None:
        self._do(path, lambda: LocalTree.write(self, path, data))

    def create(self, path: str, data: bytes) -> bool:
        return bool(self._do(path, lambda: LocalTree.create(self, path, data)))

    def append(self, path: str, data: bytes) -> None:
        half = data[: len(data) // 2]
        self._do(path, lambda: LocalTree.append(self, path, data), half)

    def put(self, path: str, local: Path) -> None:
        self._do(path, lambda: LocalTree.put(self, path, local))

    def delete(self, path: str) -> None:
        self._do(path, lambda: LocalTree.delete(self, path), is_freeing=True)

    @property
    def has_failed(self) -> bool:
        """Whether the fault was reached."""
        return self.count > self.at

    def _do(
        self, path: str, act: Callable[[], object], half: bytes = b"", *, is_freeing: bool = False
    ) -> object:
        number, self.count = self.count, self.count + 1
        if not self.at <= number < self.until or (is_freeing and self.how == "full"):
            return act()
        if half and self.how in ("full", "torn"):
            with (self.root / path).open("ab") as log:
                log.write(half)
        if self.how in ("unsure", "after"):
            act()
        if self.how in ("full", "unsure"):
            raise StoreError(f"Could not write {path}: No space left on device.")
        raise PowerCut


class WatchedTree(LocalTree):
    """A folder in which somebody else acts before one operation of any kind.

    Args:
        root: The folder.
        at: Number of that operation, from 0; those under a lock do not count.
        act: What somebody else does.
    """

    def __init__(self, root: Path, at: int, act: Callable[[], object]) -> None:
        super().__init__(root)
        self.at, self.act, self.count = at, act, 0
        self._is_locked = False

    def read(self, path: str) -> bytes:
        self._step()
        return super().read(path)

    def exists(self, path: str) -> bool:
        self._step()
        return super().exists(path)

    def write(self, path: str, data: bytes) -> None:
        self._step()
        super().write(path, data)

    def create(self, path: str, data: bytes) -> bool:
        self._step()
        return super().create(path, data)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        self._step()
        with super().lock(path):
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def _step(self) -> None:
        if self._is_locked:
            return
        self.count += 1
        if self.count == self.at + 1:
            self.act()


def store_over(tree: LocalTree) -> Store:
    """Return a store that is kept in a tree."""
    store = Store(str(tree.root))
    store.tree, store.aliases, store.jobs = tree, AliasTable(tree), Jobs(tree)
    store.versions = Versions(tree, store.aliases, store.jobs)
    store.datasets = Datasets(tree, store.jobs)
    return store
