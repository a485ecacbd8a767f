"""Finds jobs whose process died or that Redis lost, and requeues them."""

import logging
import threading
import time
from typing import Self

from redis import Redis

from models.errors import CatteryError, LeaseLost
from models.store import Store
from models.store.journal import DIED, Journal, cancel_before_start, delete_upload
from models.store.names import age_s
from models.store.records import JobRecord, JobStatus
from worker.logs import about
from worker.protocol import lease_key
from worker.queue import Attempt, enqueue, look_up
from worker.redis_client import AWAY, Outages, check_writable
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

CERTAIN_AFTER = 0.4  # of the lease's TTL: a holder renews within this even after a flush
RECHECK_S = 1.0


class Reaper:
    """A thread that checks the store's jobs every `reap_s`.

    Every worker may have one: of several that requeue a job at once, the store lets one do it.

    Args:
        store: Holds the jobs.
        redis: A client for this thread.
        settings: The worker's.
    """

    def __init__(self, store: Store, redis: Redis, settings: WorkerSettings) -> None:
        self._store = store
        self._redis = redis
        self._settings = settings
        self._missing_since: dict[str, float] = {}
        self._tidied: set[str] = set()
        self._outages = Outages("Reaper")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reaper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def sweep(self) -> None:
        """Check every job once.

        Raises:
            StoreError: The store cannot be read.
            redis.RedisError: Redis cannot be reached, or refuses to write.
        """
        try:
            check_writable(self._redis)
        except AWAY:
            # Leases run out now, since nobody can renew them: their holders come first afterwards.
            self._missing_since.clear()
            raise
        self._outages.ended()
        for record in self._store.jobs.list():
            with about(record.id, record.request_id):
                self._look_after(record)

    def _work(self) -> None:
        while True:
            try:
                self.sweep()
            except AWAY as err:
                self._outages.began(err)
            except CatteryError as err:
                log.warning("Could not look for interrupted jobs: %s", err)
            except Exception:
                log.exception("The reaper failed; it tries again.")
            # A job that seems lost is checked again soon, to be certain.
            pause = RECHECK_S if self._missing_since else self._settings.reap_s
            if self._ended.wait(min(pause, self._settings.reap_s)):
                return

    def _look_after(self, record: JobRecord) -> None:
        try:
            if record.status.has_ended:
                self._missing_since.pop(record.id, None)
                self._tidy(record)
            elif record.runner == "worker":
                self._check(record)
        except LeaseLost:
            return  # somebody else has just dealt with it
        except CatteryError as err:  # a job that cannot be read must not hide the others
            log.warning("Could not look after job %s: %s", record.id, err)

    def _check(self, record: JobRecord) -> None:
        if self._redis.exists(lease_key(record.id)):
            self._missing_since.pop(record.id, None)
            return
        attempt = look_up(self._redis, record.id, record.attempts)
        is_canceled = self._store.jobs.cancel_requested(record.id)
        if is_canceled and cancel_before_start(record, self._store):
            self._missing_since.pop(record.id, None)
            return
        is_waiting = record.status is JobStatus.QUEUED
        if is_waiting and attempt is Attempt.UNKNOWN:
            self._missing_since.pop(record.id, None)
            # The same attempt: RQ rejects it if the front end is just queueing it.
            self._enqueue(record)
        elif is_waiting and attempt is Attempt.WAITING:
            self._missing_since.pop(record.id, None)
        elif (is_waiting and attempt is Attempt.ENDED) or self._is_certain(record.id):
            self._missing_since.pop(record.id, None)
            self._queue_again(record, attempt)

    def _is_certain(self, job: str) -> bool:
        """Return whether nobody has held a job for so long that nobody will."""
        now = time.monotonic()
        missing_s = now - self._missing_since.setdefault(job, now)
        return missing_s >= CERTAIN_AFTER * self._settings.lease_s

    def _queue_again(self, record: JobRecord, attempt: Attempt) -> None:
        journal = Journal(record, self._store)
        # A job that waits was paused, or taken from the queue by a worker that ran nothing: only
        # where RQ saw its process die, or the job had started, has anything been interrupted.
        if record.status is JobStatus.QUEUED and attempt is not Attempt.FAILED:
            again = journal.requeue("It waits in the queue.")
        else:
            again = journal.interrupt(DIED)
        if again.status is JobStatus.QUEUED:
            self._enqueue(again)
            log.info("Requeued job %s: %s", again.id, again.reason)

    def _enqueue(self, record: JobRecord) -> None:
        enqueue(self._redis, record.id, record.attempts, self._settings, record.request_id)

    def _tidy(self, record: JobRecord) -> None:
        """Delete what an ended job no longer needs."""
        if record.id in self._tidied or record.ended_at is None:
            return
        if age_s(record.ended_at) < self._settings.state_keep_s:
            return
        delete_upload(record)  # its process may have died between its end and this
        state = self._store.jobs.state(record.id)
        if state.exists():
            state.drop()
            log.info("Dropped the training state of job %s.", record.id)
        self._tidied.add(record.id)
