"""Notices of ended jobs that have not been delivered yet: `webhooks/{job}.json`."""

from collections.abc import Iterator
from dataclasses import replace

from models.errors import BadEntry
from models.store.names import is_job, timestamp
from models.store.record_cache import RecordCache
from models.store.records import WebhookRecord
from models.store.serialization import dumps
from models.store.tree import Tree

FOLDER = "webhooks"


class Webhooks:
    """All notices that are due or will be. Thread-safe.

    A notice is written before its job can run and deleted once it is delivered, so that it
    survives whatever dies in between.
    """

    # Not in the order, which anyone may read: the URL of a webhook is often its only secret.

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._records = RecordCache(tree, WebhookRecord)

    def add(self, job: str, url: str) -> None:
        """Note whom to tell when a job ends; the first call for a job counts."""
        record = WebhookRecord(job=job, url=url, created_at=timestamp())
        self._tree.create(_path(job), dumps(record))

    def pending(self) -> Iterator[WebhookRecord]:
        """Yield the notices; damaged ones are left out and reported."""
        names = [name.removesuffix(".json") for name in self._tree.names(FOLDER)]
        yield from self._records.many([_path(name) for name in names if is_job(name)])

    def get(self, job: str) -> WebhookRecord | None:
        """Return the notice of a job, or None if it was delivered or given up."""
        try:
            return self._records.get(_path(job))
        except (FileNotFoundError, BadEntry):
            return None

    def failed(self, record: WebhookRecord, next_at: str) -> None:
        """Note that a delivery failed, and when to try again."""
        after = replace(record, attempts=record.attempts + 1, next_at=next_at)
        self._tree.write(_path(record.job), dumps(after))

    def remove(self, job: str) -> None:
        """Forget a notice: it was delivered, or never will be."""
        self._tree.delete(_path(job))


def _path(job: str) -> str:
    return f"{FOLDER}/{job}.json"
