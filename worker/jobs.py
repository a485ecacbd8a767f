"""What RQ calls in the job process, by its dotted name."""

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rq import get_current_job

from models.errors import Gone, LeaseLost, NotFound
from models.store import Store
from models.store.journal import Journal, StopReason
from models.store.records import JobKind, JobRecord, JobStatus
from worker.announcements import announce
from worker.lease import Lease, lease_client
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from models.jobs.context import JobContext

log = logging.getLogger(__name__)

CANCEL_CHECK_S = 1.0  # a check reads the store, which may be remote

PAUSING = {signal.SIGTERM, signal.SIGINT}  # they ask a job to save its state and stop


def run(job_id: str) -> None:
    """Run one job by its id in the store, unless it has ended or is running elsewhere."""
    settings = WorkerSettings()
    pause = _listen()
    store = Store.open(settings.store_url)
    redis = lease_client(settings.redis_url, settings.lease_s)
    attempt = get_current_job()
    # The worker holds the lease already, in its name, for as long as this process lives.
    token = attempt.worker_name if attempt else None
    with Lease(redis, job_id, settings.lease_s, token) as lease:
        if not lease.take():
            log.info("Job %s is already running elsewhere.", job_id)
            return
        try:
            # Read under the lease: RQ may hand out an attempt late, when the job has long ended.
            record = store.jobs.get(job_id)
            if record.status.has_ended or pause.is_set():
                return
            lease.regain_if(partial(_is_current, record, store))
            # Told to pause, it does not wait for Redis: it saves its state and resumes from there.
            held = partial(lease.wait, give_up=pause.is_set)
            _run(record, store, settings, held, pause, partial(announce, redis))
        except (LeaseLost, NotFound, Gone) as err:
            log.warning("Stopped: %s", err)


def _listen() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set, which have been blocked since the start."""
    asked = threading.Event()
    for number in PAUSING:
        signal.signal(number, lambda *_: asked.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PAUSING)
    return asked


def _run(
    record: JobRecord,
    store: Store,
    settings: WorkerSettings,
    lease: Callable[[], bool],
    pause: threading.Event,
    announce: Callable[[str], object],
) -> None:
    should_stop = _stop_reason(record.id, store, pause)
    if full := _full_disk(store, settings):
        if not (record.kind is JobKind.TRAIN and store.jobs.state(record.id).exists()):
            Journal(record, store, lease).end(JobStatus.FAILED, full)
            return
        log.warning("Job %s waits: %s", record.id, full)
        while lease() and not should_stop() and _full_disk(store, settings):
            pause.wait(CANCEL_CHECK_S)
    # Imported late: both bring torch, which takes seconds, and the lease does not wait.
    if record.kind is JobKind.IMPORT:
        from models.jobs.import_job import run_import

        cache = settings.data / "cache"
        run_import(record, store, cache=cache, should_stop=should_stop, lease=lease)
        return
    from models.jobs.training_job import run_training

    context = job_context(settings, store)
    run_training(record, context, lease=lease, should_stop=should_stop, announce=announce)


def _is_current(taken: JobRecord, store: Store) -> bool:
    """Return whether nobody else has taken a job up since; StoreError if that cannot be read."""
    try:
        now = store.jobs.get(taken.id)
    except (NotFound, Gone):
        return False
    return now.attempts == taken.attempts and not now.status.has_ended


def job_context(settings: WorkerSettings, store: Store) -> "JobContext":
    """Return the context of training jobs according to the worker's settings."""
    from models.jobs.context import JobContext

    return JobContext(
        store=store,
        cache=settings.data / "cache",
        device=settings.device,
        threads=settings.threads,
        checkpoint_s=settings.checkpoint_s,
        fakes=settings.fakes,
    )


def _stop_reason(job: str, store: Store, pause: threading.Event) -> Callable[[], StopReason | None]:
    """Return the job's check between steps, which reads the store once a second."""
    checked_at = 0.0
    is_canceled = False

    def reason() -> StopReason | None:
        nonlocal checked_at, is_canceled
        if time.monotonic() - checked_at >= CANCEL_CHECK_S:
            is_canceled = is_canceled or store.jobs.cancel_requested(job)
            checked_at = time.monotonic()
        # Before PAUSE: a canceled job must end now, not wait for the next worker.
        if is_canceled:
            return StopReason.CANCEL
        return StopReason.PAUSE if pause.is_set() else None

    return reason


def _full_disk(store: Store, settings: WorkerSettings) -> str | None:
    """Return a sentence if a disk that the job writes to is nearly full."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = {
        "the data folder": shutil.disk_usage(settings.data).free,
        "the store": store.tree.free_bytes(),
    }
    for place, free_bytes in free.items():
        if free_bytes is not None and free_bytes < settings.min_free_mb * 2**20:
            return (
                f"The disk of {place} has {free_bytes // 2**20} MiB free; a job needs "
                f"{settings.min_free_mb} MiB (CATTERY_MIN_FREE_MB). Free some and submit it again."
            )
    return None
