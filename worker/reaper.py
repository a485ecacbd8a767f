"""Finds jobs that nobody runs and nobody will run, and queues them again."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from redis import Redis

from models.errors import CatteryError
from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus
from worker.ending import end
from worker.protocol import lease_key
from worker.queue import Attempt, enqueue, look_up
from worker.redis_client import AWAY
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS = 5
"""A job interrupted this often without getting any further is given up."""

CERTAIN_AFTER = 0.4
"""Share of the lease's time within which a holder has it again after Redis was flushed."""

WAKE_UP_S = 10.0
"""A job process takes its lease within this time after its start, also on a busy machine."""

LOOK_AGAIN_S = 1.0
REQUEUE_LOCK_MS = 30_000


class Reaper:
    """A thread that looks through the store's jobs every `reap_s`, and at once.

    Any number of workers may have one each: what it does to a job is guarded by a lock.

    Args:
        store: Where the jobs lie.
        redis: Client of its own.
        settings: The worker's.
    """

    def __init__(self, store: Store, redis: Redis, settings: WorkerSettings) -> None:
        self._store = store
        self._redis = redis
        self._settings = settings
        self._missing_since: dict[str, float] = {}
        self._stateless: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reaper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def sweep(self) -> None:
        """Look at every job once.

        Raises:
            StoreError: The store cannot be read.
            redis.RedisError: Redis cannot be reached.
        """
        for record in self._store.jobs.list():
            if record.status.has_ended:
                self._drop_old_state(record)
            elif record.runner == "worker":
                self._look_at(record)

    def _work(self) -> None:
        while True:
            try:
                self.sweep()
            except (*AWAY, CatteryError) as err:
                log.warning("The reaper could not look for interrupted jobs: %s", err)
            except Exception:
                log.exception("The reaper failed; it will look again.")
            # A job that seems lost is looked at again soon, to be certain.
            pause = LOOK_AGAIN_S if self._missing_since else self._settings.reap_s
            if self._ended.wait(min(pause, self._settings.reap_s)):
                return

    def _look_at(self, record: JobRecord) -> None:
        if self._redis.exists(lease_key(record.id)):
            self._missing_since.pop(record.id, None)
            return
        attempt = look_up(self._redis, record.id, record.attempts, self._settings)
        if record.status is JobStatus.QUEUED and self._cancel_before_start(record):
            return
        if attempt is Attempt.WAITING:
            self._missing_since.pop(record.id, None)
        elif record.status is JobStatus.QUEUED and attempt is Attempt.UNKNOWN:
            # The same attempt: RQ refuses it if the front end queues it this very moment.
            enqueue(self._redis, record.id, record.attempts, self._settings)
        elif self._missing_for(record.id) >= self._patience(record, attempt):
            self._missing_since.pop(record.id, None)
            self._queue_again(record, attempt)

    def _missing_for(self, job: str) -> float:
        """Seconds since nobody was first seen to have it."""
        now = time.monotonic()
        return now - self._missing_since.setdefault(job, now)

    def _patience(self, record: JobRecord, attempt: Attempt) -> float:
        """How long a job may be in nobody's hands before it counts as lost, seconds."""
        if record.status is JobStatus.STARTED:
            return CERTAIN_AFTER * self._settings.lease_s
        # Not started: its process may just be waking up, before it takes the lease.
        return WAKE_UP_S if attempt is Attempt.IN_HAND else 0.0

    def _queue_again(self, seen: JobRecord, attempt: Attempt) -> None:
        lock = f"cattery:requeue:{seen.id}-{seen.attempts}"
        if not self._redis.set(lock, "1", nx=True, px=REQUEUE_LOCK_MS):
            return
        record = self._store.jobs.get(seen.id)
        if record.status.has_ended or record.attempts != seen.attempts:
            return
        if record.status is JobStatus.QUEUED and attempt is Attempt.ENDED:
            reason = "It was paused and waits for its turn."
        else:
            reason = "Its process ended without finishing it; it goes on from its last state."
            if self._give_up(record):
                return
            self._store.jobs.append_event(
                record.id, "interrupted", {"reason": reason, "progress": _reached(record)}
            )
        again = replace(
            record,
            status=JobStatus.QUEUED,
            phase=None,
            attempts=record.attempts + 1,
            reason=reason,
        )
        self._store.jobs.save(again)
        enqueue(self._redis, again.id, again.attempts, self._settings)
        log.info("Queued job %s again: %s", again.id, reason)

    def _give_up(self, record: JobRecord) -> bool:
        """End a job that was interrupted too often without getting any further."""
        reached = [
            float(event.data.get("progress", 0.0))
            for event in self._store.jobs.events(record.id)
            if event.type == "interrupted"
        ]
        in_vain = 1
        for progress in reversed(reached):
            if progress < _reached(record):
                break
            in_vain += 1
        if in_vain < MAX_INTERRUPTIONS:
            return False
        reason = (
            f"Its process ended {in_vain} times without getting any further; the worker's log "
            "may say why (out of memory is the usual reason)."
        )
        end(self._store, record, JobStatus.FAILED, reason)
        return True

    def _cancel_before_start(self, record: JobRecord) -> bool:
        """End a job that was canceled while it waited and has nothing to publish."""
        jobs = self._store.jobs
        if not jobs.cancel_requested(record.id):
            return False
        if record.kind is JobKind.TRAIN and jobs.state(record.id).exists():
            return False  # its run publishes the best snapshot
        end(self._store, record, JobStatus.CANCELED, "It was canceled before it started.")
        return True

    def _drop_old_state(self, record: JobRecord) -> None:
        if record.id in self._stateless or _age_s(record.ended_at) < self._settings.state_keep_s:
            return
        state = self._store.jobs.state(record.id)
        if state.exists():
            state.drop()
            log.info("Dropped the training state of job %s.", record.id)
        self._stateless.add(record.id)


def _reached(record: JobRecord) -> float:
    """How far a job is: kimg of a training, pictures of an import."""
    return record.progress.kimg if record.kind is JobKind.TRAIN else float(record.progress.done)


def _age_s(at: str | None) -> float:
    if at is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
