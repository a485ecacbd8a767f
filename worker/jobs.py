"""What RQ calls in the job process, by its dotted name."""

import json
import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from redis import Redis

from models.errors import LeaseLost
from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus
from worker.ending import end
from worker.lease import Lease
from worker.protocol import ANNOUNCEMENTS
from worker.redis_client import AWAY, connect
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from models.jobs.training_job import StopReason

log = logging.getLogger(__name__)

LOOK_FOR_CANCEL_EVERY_S = 1.0


def run(job_id: str) -> None:
    """Do one job, unless another process does it already or it has ended.

    Args:
        job_id: Its id in the store.
    """
    settings = WorkerSettings()
    pause = threading.Event()
    signal.signal(signal.SIGTERM, _setter(pause))
    store = Store.open(settings.store_url)
    redis = connect(settings.redis_url)
    with Lease(redis, job_id, settings.lease_s) as lease:
        if not lease.take():
            log.info("Job %s is in other hands.", job_id)
            return
        record = store.jobs.get(job_id)
        if record.status.has_ended:
            return
        if lacking := _lacks_space(store, settings):
            end(store, record, JobStatus.FAILED, lacking)
            return
        try:
            _do(record, store, settings, lease, pause, announcer(redis))
        except LeaseLost as err:
            log.warning("%s", err)


def _do(
    record: JobRecord,
    store: Store,
    settings: WorkerSettings,
    lease: Lease,
    pause: threading.Event,
    announce: Callable[[str], None],
) -> None:
    # Imported late: both bring torch, which takes seconds, and the lease does not wait.
    should_stop = _stop_reason(record.id, store, pause)
    cache = settings.data / "cache"
    if record.kind is JobKind.IMPORT:
        from models.jobs.import_job import run_import

        run_import(record, store, cache=cache, should_stop=should_stop, lease=lease.held)
        return
    from models.jobs.training_job import Place, run_training

    place = Place(
        store=store,
        cache=cache,
        device=settings.device,
        threads=settings.threads,
        checkpoint_s=settings.checkpoint_s,
        fakes=settings.fakes,
    )
    run_training(record, place, lease=lease.held, should_stop=should_stop, announce=announce)


def announcer(redis: Redis) -> Callable[[str], None]:
    """Return a function that tells every front end that a model's alias moved.

    A message that cannot be sent costs seconds: front ends also look for themselves.
    """

    def announce(model: str) -> None:
        try:
            redis.publish(ANNOUNCEMENTS, json.dumps({"model": model}))
        except AWAY as err:
            log.warning("The promotion of %s could not be announced: %s", model, err)

    return announce


def _stop_reason(
    job: str, store: Store, pause: threading.Event
) -> "Callable[[], StopReason | None]":
    """Return what the job asks between two steps; it looks into the store once a second."""
    from models.jobs.training_job import StopReason

    looked_at = 0.0
    is_canceled = False

    def reason() -> "StopReason | None":
        nonlocal looked_at, is_canceled
        if time.monotonic() - looked_at >= LOOK_FOR_CANCEL_EVERY_S:
            is_canceled = is_canceled or store.jobs.cancel_requested(job)
            looked_at = time.monotonic()
        if is_canceled:
            return StopReason.CANCEL
        return StopReason.PAUSE if pause.is_set() else None

    return reason


def _lacks_space(store: Store, settings: WorkerSettings) -> str | None:
    """Return a sentence when a disk that the job writes to is nearly full."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = {
        "the data folder": shutil.disk_usage(settings.data).free,
        "the store": store.tree.free_bytes(),
    }
    for place, free_bytes in free.items():
        if free_bytes is not None and free_bytes < settings.min_free_mb * 2**20:
            return (
                f"The disk of {place} has {free_bytes // 2**20} MiB free, a job needs "
                f"{settings.min_free_mb} MiB (CATTERY_MIN_FREE_MB). Free some and order again."
            )
    return None


def _setter(event: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_signum: int, _frame: FrameType | None) -> None:
        event.set()

    return handle
