"""What the front end itself does to jobs: handing them over, ending them before they begin."""

import logging
from dataclasses import replace
from pathlib import Path

from app.jobs.queue import JobQueue
from app.problems.errors import QueueUnavailable
from models.store import Store
from models.store.names import timestamp
from models.store.records import ImportOrder, JobKind, JobRecord, JobStatus

log = logging.getLogger(__name__)

CANCELED_EARLY = "It was canceled before it started."


def hand_over(queue: JobQueue, record: JobRecord) -> None:
    """Queue a job that the store already holds.

    Should Redis go away in this very moment, the job is not lost: the store has it as
    queued, and the worker's reaper queues what no queue knows.
    """
    if record.status is not JobStatus.QUEUED or record.runner != "worker":
        return
    try:
        queue.submit(record)
    except QueueUnavailable as err:
        log.warning("the job %s waits for the reaper: %s", record.id, err)


def cancel(store: Store, job: str) -> JobRecord:
    """Ask a job to stop; one that has not begun, and has nothing to publish, ends at once.

    Raises:
        NotFound, Gone: There is no such job.
        Conflict: It has ended.
    """
    store.jobs.request_cancel(job)
    record = store.jobs.get(job)
    if record.status is not JobStatus.QUEUED or record.runner != "worker":
        return record
    if record.kind is JobKind.TRAIN and store.jobs.state(job).exists():
        return record  # it waits to go on: its next run publishes the best snapshot
    return _end(store, record)


def _end(store: Store, record: JobRecord) -> JobRecord:
    order = store.jobs.order(record)
    if isinstance(order, ImportOrder):
        Path(order.source).unlink(missing_ok=True)
    ended = replace(record, status=JobStatus.CANCELED, ended_at=timestamp(), reason=CANCELED_EARLY)
    store.jobs.save(ended)
    store.jobs.append_event(ended.id, ended.status.value, {"reason": CANCELED_EARLY})
    return ended
