"""The end of a job that no run of it can write down itself."""

from dataclasses import replace
from pathlib import Path

from models.store import Store
from models.store.names import timestamp
from models.store.records import ImportOrder, JobRecord, JobStatus


def end(store: Store, record: JobRecord, status: JobStatus, reason: str) -> JobRecord:
    """Write down that a job has ended without running to its end, and return its record.

    An import's upload is deleted, as its run would have done.

    Args:
        store: Where the job lies.
        record: The job, as last read.
        status: How it ended.
        reason: Why, a sentence.
    """
    order = store.jobs.order(record)
    if isinstance(order, ImportOrder):
        Path(order.source).unlink(missing_ok=True)
    ended = replace(record, status=status, phase=None, reason=reason, ended_at=timestamp())
    # The event comes first: who sees an ended record has all of its events.
    store.jobs.append_event(record.id, status.value, {"reason": reason, "version": record.version})
    store.jobs.save(ended)
    return ended
