"""Submitting and canceling jobs."""

import logging

from app.jobs.queue import JobQueue
from app.problems.errors import QueueUnavailable
from app.settings import AppSettings
from models.errors import InvalidValue
from models.store import Store
from models.store.journal import cancel_before_start
from models.store.records import ImportOrder, JobKind, JobRecord, TrainingOrder
from worker.logs import about, request_id
from worker.webhook_address import parse_url

log = logging.getLogger(__name__)


def submit(
    store: Store,
    queue: JobQueue,
    order: TrainingOrder | ImportOrder,
    *,
    key: str | None = None,
    webhook: str | None = None,
) -> JobRecord:
    """Add a job to the store, then queue it.

    Args:
        store: The store.
        queue: The queue of the workers.
        order: What the job should do.
        key: The client's Idempotency-Key; a repeated key returns the same job.
        webhook: URL to call when it has ended, already checked.

    Raises:
        Conflict: The key was used for another order.
        Gone: The key's job was deleted.
    """
    kind = JobKind.IMPORT if isinstance(order, ImportOrder) else JobKind.TRAIN
    record, is_new = store.jobs.create(kind, order, key=key, request=request_id.get() or None)
    if webhook is not None and not record.status.has_ended:
        # Before it is queued, so that it cannot end before. Should this process die first, the
        # client has no answer, and its next attempt with the same key comes here again.
        store.webhooks.add(record.id, webhook)
    with about(record.id):
        if is_new:
            log.info("Accepted: %s.", _brief(order))
        _queue(queue, record)
    return record


def _queue(queue: JobQueue, record: JobRecord) -> None:
    if record.waits_for_worker:
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
    """Request a job to stop; one that waits ends at once, unless it has something to publish.

    Raises:
        NotFound, Gone: There is no such job.
        Conflict: It has ended.
    """
    store.jobs.request_cancel(job)
    record = store.jobs.get(job)
    return cancel_before_start(record, store) or record


def check_webhook(url: str | None, settings: AppSettings) -> None:
    """Refuse a webhook that could not be delivered.

    Raises:
        InvalidValue: It is no URL of a public host, or webhooks could not be signed.
    """
    if url is None:
        return
    if settings.webhook_secret is None:
        detail = "This service has no secret to sign webhooks with (CATTERY_WEBHOOK_SECRET)."
        raise InvalidValue("webhook", url[:200], "none", detail)
    parse_url(url, settings.allowed_webhook_hosts)
