"""Submitting and canceling jobs."""

import logging

from app.jobs.queue import JobQueue
from app.problems.errors import QueueUnavailable
from models.store import Store
from models.store.journal import cancel_before_start
from models.store.records import ImportOrder, JobKind, JobRecord, JobStatus, TrainingOrder
from worker.logs import about, request_id

log = logging.getLogger(__name__)


def submit(
    store: Store,
    queue: JobQueue,
    order: TrainingOrder | ImportOrder,
    *,
    key: str | None = None,
) -> JobRecord:
    """Add a job to the store, then queue it.

    Args:
        store: The store.
        queue: The queue of the workers.
        order: What the job should do.
        key: The client's Idempotency-Key; a repeated key returns the same job.

    Raises:
        Conflict: The key was used for another order.
        Gone: The key's job was deleted.
    """
    kind = JobKind.IMPORT if isinstance(order, ImportOrder) else JobKind.TRAIN
    record, is_new = store.jobs.create(kind, order, key=key, request=request_id.get() or None)
    with about(record.id):
        if is_new:
            log.info("Accepted: %s.", _brief(order))
        _queue(queue, record)
    return record


def _queue(queue: JobQueue, record: JobRecord) -> None:
    if record.status is JobStatus.QUEUED and record.runner == "worker":
        try:
            queue.submit(record)
        except QueueUnavailable as err:
            # Redis failed since it was checked. The job is accepted all the same: its record is in
            # the store, from which the reaper of any worker queues it as soon as Redis is back.
            log.warning("Job %s waits for the reaper: %s", record.id, err)


def _brief(order: TrainingOrder | ImportOrder) -> str:
    """Return what a job is to do, half a sentence."""
    if isinstance(order, ImportOrder):
        return f"import of the dataset {order.name}"
    return f"training of {order.model} by {order.recipe} on {order.dataset}"


def cancel(store: Store, job: str) -> JobRecord:
    """Request a job to stop; one that has not started and has nothing to publish ends at once.

    Raises:
        NotFound, Gone: There is no such job.
        Conflict: It has ended.
    """
    store.jobs.request_cancel(job)
    record = store.jobs.get(job)
    return cancel_before_start(record, store) or record
