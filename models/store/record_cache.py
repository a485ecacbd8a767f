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
    """Reads records; on a local tree an unchanged stamp of the file saves parsing it.

    Records are shared: do not modify the dictionaries in them.
    """

    def __init__(self, tree: Tree, kind: type[T]) -> None:
        self._tree = tree
        self._kind = kind
        self._known: dict[str, tuple[Hashable, T]] = {}
        self._guard = threading.Lock()

    def get(self, path: str) -> T:
        """Return the record in a file; FileNotFoundError, or StoreError if it is damaged."""
        stamp = self._tree.stamp(
            path
        )  # before reading: if the file changes, the next stamp differs
        known = self._remembered(path, stamp)
        return known if known is not None else self._parse(path, stamp, self._tree.read(path))

    def many(self, paths: Sequence[str]) -> list[T]:
        """Return the records of the files that exist, in order; damaged ones are logged."""
        stamps = {path: self._tree.stamp(path) for path in paths}
        found = {path: self._remembered(path, stamp) for path, stamp in stamps.items()}
        raws = self._tree.read_many([path for path, record in found.items() if record is None])
        for path, raw in raws.items():
            try:
                found[path] = self._parse(path, stamps[path], raw)
            except StoreError as err:  # one damaged file must not hide all others
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
