"""A job's record and history, as the process that runs it writes them."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.errors import LeaseLost
from models.store import Store
from models.store.names import timestamp
from models.store.records import JobRecord, JobStatus, Json, Phase, Progress

PROGRESS_S = 1.0


class Journal:
    """Writes one job's record; nobody else does while the lease is held.

    Args:
        record: As it was when the job was taken up.
        store: Where it is kept.
        lease: Tells whether this process still holds the job.
    """

    def __init__(self, record: JobRecord, store: Store, lease: Callable[[], bool]) -> None:
        self.record = record
        self._store = store
        self._lease = lease
        self._last_progress = 0.0

    def _save(self, **changes: Any) -> None:
        if not self._lease():
            raise LeaseLost(self.record.id)
        self.record = replace(self.record, **changes)
        self._store.jobs.save(self.record)

    def event(self, kind: str, data: Json) -> None:
        """Append a line to the job's history."""
        if not self._lease():
            raise LeaseLost(self.record.id)
        self._store.jobs.append_event(self.record.id, kind, data)

    def start(self) -> None:
        """Note that the job was taken up."""
        started = self.record.started_at or timestamp()
        self._save(status=JobStatus.STARTED, started_at=started, reason=None)
        self.event("started", {"attempt": self.record.attempts})

    def phase(self, phase: Phase) -> None:
        """Note what the job does now."""
        self._save(phase=phase)
        self.event("phase", {"phase": phase.value})

    def progress(self, make: Callable[[], Progress], *, force: bool = False) -> None:
        """Note how far the job is, at most once a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_S:
            return
        self._last_progress = now
        self._save(progress=make())
        progress = self.record.progress
        self.event(
            "progress",
            {
                "kimg": progress.kimg,
                "training_s": progress.training_s,
                "images_per_s": progress.images_per_s,
                "eta_s": progress.eta_s,
                "losses": progress.losses,
                "done": progress.done,
                "total": progress.total,
            },
        )

    def sample(self, label: str, png: bytes) -> None:
        """Keep a sample sheet."""
        self._store.jobs.save_sample(self.record.id, label, png)
        if label not in self.record.samples:
            self._save(samples=(*self.record.samples, label))
        self.event("sample", {"kimg": label})

    def snapshot(self, found: Json, best: Json | None) -> None:
        """Note a measured snapshot and which one is the best so far."""
        self._save(best=best)
        self.event("snapshot", {**found, "best": best})

    def published(self, version: str, *, promoted: bool, reason: str) -> None:
        """Note the version that the job made and the gate's decision."""
        self._save(version=version, promoted=promoted)
        data = {"version": version, "promoted": promoted, "reason": reason}
        self.event("published", data)

    def pause(self, reason: str) -> JobRecord:
        """Put the job back to wait; it goes on from its state."""
        self.event("paused", {"reason": reason})
        self._save(status=JobStatus.QUEUED, phase=None, reason=reason)
        return self.record

    def end(self, status: JobStatus, reason: str | None = None) -> JobRecord:
        """Note the end. The event comes first: who sees an ended record has all events."""
        self.event(status.value, {"reason": reason, "version": self.record.version})
        self._save(status=status, phase=None, ended_at=timestamp(), reason=reason)
        return self.record
