"""Finds jobs whose process died or that Redis lost, and requeues them."""

import logging
import threading
import time
from datetime import UTC, datetime
from itertools import takewhile
from typing import Self

from redis import Redis

from models.errors import CatteryError
from models.store import Store
from models.store.journal import Journal, cancel_before_start
from models.store.records import JobKind, JobRecord, JobStatus
from worker.protocol import lease_key
from worker.queue import Attempt, enqueue, look_up
from worker.redis_client import AWAY, Outages, check_writable
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS = 5  # deaths without progress after which a job has failed

CERTAIN_AFTER = 0.4  # of the lease's TTL: a holder renews within this even after a flush

STARTUP_S = 10.0  # a job process takes its lease this soon even on a busy machine

RECHECK_S = 1.0
REQUEUE_LOCK_MS = 30_000


class Reaper:
    """A thread that checks the store's jobs every `reap_s`.

    Every worker may have one: requeuing a job is guarded by a lock.

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
        self._stateless: set[str] = set()
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
            if record.status.has_ended:
                self._drop_old_state(record)
            elif record.runner == "worker":
                self._check(record)

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

    def _check(self, record: JobRecord) -> None:
        if self._redis.exists(lease_key(record.id)):
            self._missing_since.pop(record.id, None)
            return
        attempt = look_up(self._redis, record.id, record.attempts)
        is_canceled = self._store.jobs.cancel_requested(record.id)
        if is_canceled and cancel_before_start(record, self._store):
            return
        if attempt is Attempt.WAITING:
            self._missing_since.pop(record.id, None)
        elif record.status is JobStatus.QUEUED and attempt is Attempt.UNKNOWN:
            # The same attempt: RQ rejects it if the front end is just queueing it.
            enqueue(self._redis, record.id, record.attempts, self._settings)
        elif self._missing_for(record.id) >= self._grace_s(record, attempt):
            self._missing_since.pop(record.id, None)
            self._queue_again(record, attempt)

    def _missing_for(self, job: str) -> float:
        """Return the seconds since a job was first seen without a lease."""
        now = time.monotonic()
        return now - self._missing_since.setdefault(job, now)

    def _grace_s(self, record: JobRecord, attempt: Attempt) -> float:
        """Return the seconds a job may go without a lease before it counts as lost."""
        if record.status is JobStatus.STARTED:
            return CERTAIN_AFTER * self._settings.lease_s
        # Not started: its process may still be importing, before it takes the lease.
        return STARTUP_S if attempt is Attempt.RUNNING else 0.0

    def _queue_again(self, seen: JobRecord, attempt: Attempt) -> None:
        lock = f"cattery:requeue:{seen.id}-{seen.attempts}"
        if not self._redis.set(lock, "1", nx=True, px=REQUEUE_LOCK_MS):
            return
        # Another reaper may have dealt with it between the sweep's listing and this lock.
        record = self._store.jobs.get(seen.id)
        if record.status.has_ended or record.attempts != seen.attempts:
            return
        journal = Journal(record, self._store)
        if record.status is JobStatus.QUEUED and attempt is Attempt.ENDED:
            reason = "Paused; waiting in the queue."
        else:
            reason = "Its process died; the job resumes from its last saved state."
            if (deaths := self._deaths_without_progress(record)) >= MAX_INTERRUPTIONS:
                journal.end(
                    JobStatus.FAILED,
                    f"Its process died {deaths} times without making progress; the worker's log "
                    "may say why (usually out of memory).",
                )
                return
            journal.event("interrupted", {"reason": reason, "progress": _reached(record)})
        again = journal.requeue(reason)
        enqueue(self._redis, again.id, again.attempts, self._settings)
        log.info("Requeued job %s: %s", again.id, reason)

    def _deaths_without_progress(self, record: JobRecord) -> int:
        """Count deaths of its processes since the job last made progress, this one included."""
        reached = [
            float(event.data.get("progress", 0.0))
            for event in self._store.jobs.events(record.id)
            if event.type == "interrupted"
        ]
        # The latest first: a death after which the job made progress ends the count.
        stuck = takewhile(lambda progress: progress >= _reached(record), reversed(reached))
        return 1 + sum(1 for _ in stuck)

    def _drop_old_state(self, record: JobRecord) -> None:
        if record.id in self._stateless or _age_s(record.ended_at) < self._settings.state_keep_s:
            return
        state = self._store.jobs.state(record.id)
        if state.exists():
            state.drop()
            log.info("Dropped the training state of job %s.", record.id)
        self._stateless.add(record.id)


def _reached(record: JobRecord) -> float:
    """Return how far a job is: kimg of a training, images of an import."""
    return record.progress.kimg if record.kind is JobKind.TRAIN else float(record.progress.done)


def _age_s(at: str | None) -> float:
    if at is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
