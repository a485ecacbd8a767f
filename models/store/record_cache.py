"""A cache of one kind of record, parsed again only when its file has changed."""

import logging
import threading
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from models.errors import StoreError
from models.store.serialization import loads
from models.store.tree import Tree

T = TypeVar("T")

_log = logging.getLogger(__name__)


class RecordCache(Generic[T]):
    """Reads records; on a local tree a look at the file's stamp saves the parsing.

    The records are shared: nobody may change the dictionaries in them.

    Args:
        tree: Where the files are.
        kind: The record's dataclass.
    """

    def __init__(self, tree: Tree, kind: type[T]) -> None:
        self._tree = tree
        self._kind = kind
        self._known: dict[str, tuple[Hashable, T]] = {}
        self._guard = threading.Lock()

    def get(self, path: str) -> T:
        """Return the record in a file.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: It cannot be read, or is damaged.
        """
        stamp = self._tree.stamp(path)  # before reading: a newer file then has a newer stamp
        known = self._remembered(path, stamp)
        return known if known is not None else self._parse(path, stamp, self._tree.read(path))

    def many(self, paths: Sequence[str]) -> list[T]:
        """Return the records of those files that are there, in the order of `paths`.

        A damaged file is logged and left out: one must not hide all others.
        """
        stamps = {path: self._tree.stamp(path) for path in paths}
        found = {path: self._remembered(path, stamp) for path, stamp in stamps.items()}
        raws = self._tree.read_many([path for path, record in found.items() if record is None])
        for path, raw in raws.items():
            try:
                found[path] = self._parse(path, stamps[path], raw)
            except StoreError as err:
                _log.warning("Skipped a damaged record: %s", err)
        return [record for record in found.values() if record is not None]

    def _remembered(self, path: str, stamp: Hashable | None) -> T | None:
        with self._guard:
            known = self._known.get(path)
            if known is not None and stamp is None:
                del self._known[path]
        return known[1] if known is not None and stamp == known[0] else None

    def _parse(self, path: str, stamp: Hashable | None, raw: bytes) -> T:
        try:
            record = loads(self._kind, raw)
        except StoreError as err:
            raise StoreError(f"{path}: {err}", "Restore the file or delete its folder.") from err
        if stamp is not None:
            with self._guard:
                self._known[path] = (stamp, record)
        return record
