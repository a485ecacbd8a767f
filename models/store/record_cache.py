"""A cache of one kind of record, parsed again only when its file has changed."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from models.errors import BadEntry, StoreError
from models.store.records import Card, DatasetRecord, JobRecord, KeyRecord, WebhookRecord
from models.store.serialization import loads, words_of
from models.store.tree import Tree

T = TypeVar("T")


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
        """Return the record in a file; FileNotFoundError, or BadEntry if it is damaged."""
        # The stamp before reading: if the file changes meanwhile, the next stamp differs.
        stamp = self._tree.stamp(path)
        known = self._remembered(path, stamp)
        if known is not None:
            return known
        try:
            return self._parse(path, stamp, self._tree.read(path))
        except BadEntry as err:
            self._tree.problems.note(err, partial(self.get, path))
            raise

    def many(self, paths: Sequence[str]) -> list[T]:
        """Return the records of the files that exist, in order; bad ones are noted."""
        stamps = {path: self._stamp(path) for path in paths}
        found = {path: self._remembered(path, stamp) for path, stamp in stamps.items()}
        raws = self._tree.read_many([path for path, record in found.items() if record is None])
        for path, raw in raws.items():
            try:
                if isinstance(raw, BadEntry):
                    raise raw
                found[path] = self._parse(path, stamps[path], raw)
            except BadEntry as err:  # one damaged file must not hide all others
                self._tree.problems.note(err, partial(self.get, path))
        return [record for record in found.values() if record is not None]

    def _stamp(self, path: str) -> Hashable | None:
        try:
            return self._tree.stamp(path)
        except BadEntry:  # reading it says why
            return None

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
            raise BadEntry(path, f"{path}: {err.detail}") from err
        if not path.startswith(_HOMES.get(self._kind, lambda _: "")(record)):
            raise BadEntry(path, f"{path}: The {words_of(self._kind)} record is of another place.")
        self._tree.problems.clear(path)
        if stamp is not None:
            with self._guard:
                self._known[path] = (stamp, record)
        return record


# Where a record says it belongs: a file copied elsewhere would name files that are not beside it.
_HOMES: Mapping[type, Callable[[Any], str]] = {
    Card: lambda card: f"models/{card.model}/versions/{card.version}/",
    JobRecord: lambda job: f"jobs/{job.id}/",
    DatasetRecord: lambda dataset: f"datasets/{dataset.name}/",
    KeyRecord: lambda key: f"keys/{key.id}.json",
    WebhookRecord: lambda notice: f"webhooks/{notice.job}.json",
}
