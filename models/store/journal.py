"""A job's record and history, as the process that runs or ends it writes them."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.errors import CatteryError, LeaseLost
from models.store import Store
from models.store.names import timestamp
from models.store.records import JobKind, JobRecord, JobStatus, Json, Phase, Progress

PROGRESS_S = 1.0

log = logging.getLogger(__name__)


class StopReason(StrEnum):
    """Why a job should stop before its work is done."""

    CANCEL = "cancel"
    PAUSE = "pause"


class Stopped(Exception):
    """Raised inside a job's work once it was asked to stop."""

    def __init__(self, reason: StopReason) -> None:
        self.reason = reason


class Journal:
    """Writes one job's record; nobody else does while the lease is held.

    Args:
        record: As it was when the job was taken up.
        store: Where it is stored.
        lease: Returns whether this process still holds the job; the default is for jobs that
            no other process can hold.
    """

    def __init__(
        self, record: JobRecord, store: Store, lease: Callable[[], bool] = lambda: True
    ) -> None:
        self.record = record
        self._store = store
        self._lease = lease
        self._last_progress = 0.0

    def run(self, work: Callable[[], JobRecord]) -> JobRecord:
        """Do a job's work, which returns its record; any other error ends the job as failed.

        Raises:
            LeaseLost: Another process holds the job now, and writes its record.
        """
        try:
            return work()
        except LeaseLost:
            raise
        except CatteryError as err:
            return self.end(JobStatus.FAILED, str(err))
        except Exception as err:
            log.exception("Job %s failed", self.record.id)
            return self.end(JobStatus.FAILED, f"{type(err).__name__}: {err}")

    def check_lease(self) -> None:
        """Raise LeaseLost unless this process still holds the job."""
        if not self._lease():
            raise LeaseLost(self.record.id)

    def event(self, kind: str, data: Json) -> None:
        """Append a line to the job's history."""
        self.check_lease()
        self._store.jobs.append_event(self.record.id, kind, data)

    def start(self) -> None:
        """Record that the job was taken up."""
        started = self.record.started_at or timestamp()
        self._save(status=JobStatus.STARTED, started_at=started, reason=None)
        self.event("started", {"attempt": self.record.attempts})

    def phase(self, phase: Phase) -> None:
        """Record what the job is doing."""
        self._save(phase=phase)
        self.event("phase", {"phase": phase.value})

    def progress(self, make: Callable[[], Progress], *, force: bool = False) -> None:
        """Record how far the job is, at most once a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_S:
            return
        self._last_progress = now
        self._save(progress=make())
        shown = ("kimg", "training_s", "images_per_s", "eta_s", "losses", "done", "total")
        self.event("progress", {name: getattr(self.record.progress, name) for name in shown})

    def sample(self, label: str, png: bytes) -> None:
        """Keep a sample sheet."""
        self._store.jobs.save_sample(self.record.id, label, png)
        if label not in self.record.samples:
            self._save(samples=(*self.record.samples, label))
        self.event("sample", {"kimg": label})

    def snapshot(self, found: Json, best: Json | None) -> None:
        """Record a measured snapshot and which one is the best so far."""
        self._save(best=best)
        self.event("snapshot", {**found, "best": best})

    def published(self, version: str, *, promoted: bool, reason: str) -> None:
        """Record the version that the job made and the decision on its promotion."""
        self._save(version=version, promoted=promoted)
        self.event("published", {"version": version, "promoted": promoted, "reason": reason})

    def pause(self, reason: str) -> JobRecord:
        """Return the job to the queue; it resumes from its state."""
        # The event first, as in `end`: whoever sees the job waiting can read why.
        self.event("paused", {"reason": reason})
        self._save(status=JobStatus.QUEUED, phase=None, reason=reason)
        return self.record

    def requeue(self, reason: str) -> JobRecord:
        """Return the job to the queue for its next attempt, after its process ended."""
        attempts = self.record.attempts + 1
        self._save(status=JobStatus.QUEUED, phase=None, attempts=attempts, reason=reason)
        return self.record

    def end(self, status: JobStatus, reason: str | None = None) -> JobRecord:
        """Record how the job ended; an import's upload is deleted."""
        # The event first: whoever sees an ended record can read all of its events.
        self.event(status.value, {"reason": reason, "version": self.record.version})
        self._save(status=status, phase=None, ended_at=timestamp(), reason=reason)
        if self.record.kind is JobKind.IMPORT:
            self._delete_upload()
        return self.record

    def _save(self, **changes: Any) -> None:
        self.check_lease()
        self.record = replace(self.record, **changes)
        self._store.jobs.save(self.record)

    def _delete_upload(self) -> None:
        upload = Path(self.record.order.get("source", ""))
        try:
            upload.unlink(missing_ok=True)
        except OSError as err:  # costs disk space, not the dataset
            log.warning("Could not delete the upload %s: %s", upload, err)


def cancel_before_start(record: JobRecord, store: Store) -> JobRecord | None:
    """End a canceled job that waits in the queue, unless it has something to publish.

    Args:
        record: A job that somebody asked to cancel, as last read.
        store: Where it is stored.

    Returns:
        The ended record, or None if a process must end the job.
    """
    if record.status is not JobStatus.QUEUED or record.runner != "worker":
        return None
    if record.kind is JobKind.TRAIN and store.jobs.state(record.id).exists():
        return None  # it was paused: its next process publishes the best snapshot
    return Journal(record, store).end(JobStatus.CANCELED, "Canceled before it started.")
