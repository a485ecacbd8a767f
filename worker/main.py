"""The worker process: one RQ worker, and the reaper and the courier beside it."""

import contextlib
import signal
import threading
from types import FrameType

from rq.exceptions import StopRequested

from models.store import Store
from worker.courier import Courier
from worker.logs import log_to_stderr
from worker.queue import SERIALIZER, job_queue
from worker.reaper import Reaper
from worker.redis_client import AWAY, Outages, connect
from worker.rq_worker import CatteryWorker, rq_without, worker_options
from worker.settings import WorkerSettings
from worker.vitals import Reporter

RECONNECT_AFTER_S = 1.0


def main(settings: WorkerSettings, worker_class: type[CatteryWorker] = CatteryWorker) -> int:
    """Run one worker in the foreground until it is told to stop.

    On SIGTERM or SIGINT the running job saves a checkpoint, and resumes at the next start; a
    second signal kills it. While Redis is unavailable, for whatever reason, it waits; each outage
    is logged once. Call it in the main thread.

    Args:
        settings: The worker's settings.
        worker_class: What runs the jobs.

    Returns:
        The exit status, 0.

    Raises:
        StoreError: The store cannot be written.
        RedisUrlMissing, RedisUrlInvalid: No Redis is configured.
    """
    log_to_stderr(settings)
    store = Store.open(settings.store_url)
    redis = connect(settings.redis_url)
    outages = Outages("Worker")
    with (
        Reaper(store, redis, settings),
        Courier(store, connect(settings.redis_url), settings),
        rq_without(outages),
        contextlib.suppress(StopRequested),
    ):
        while not _work(settings, worker_class, outages):
            threading.Event().wait(RECONNECT_AFTER_S)
    redis.close()
    return 0


def _work(settings: WorkerSettings, worker_class: type[CatteryWorker], outages: Outages) -> bool:
    """Work until told to stop (True) or until Redis is lost (False)."""
    _listen()
    redis = connect(settings.redis_url)
    worker: CatteryWorker | None = None
    try:
        worker = worker_class(
            [job_queue(redis)], connection=redis, serializer=SERIALIZER, **worker_options()
        )
        worker.settings, worker.outages = settings, outages
        with Reporter(redis, worker.name, settings.device):
            worker.work(logging_level="WARNING")
    except AWAY as err:
        outages.began(err)
    finally:
        _listen()  # RQ's handlers refer to a worker that is gone
        redis.close()
    return worker is not None and worker.is_stopping


def _listen() -> None:
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)


def _stop(_signum: int, _frame: FrameType | None) -> None:
    raise StopRequested
