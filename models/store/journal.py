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
from models.store.records import (
    Collapse,
    JobKind,
    JobRecord,
    JobStatus,
    Json,
    Phase,
    PhaseRecord,
    Progress,
    Promotion,
)
from models.store.serialization import to_json

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
        self._last_work = 0.0
        self._task_began: tuple[float, float] | None = None  # when, and how much was done then

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
        self._save(status=JobStatus.STARTED, started_at=started, reason=None, phases=())
        self.event("started", {"attempt": self.record.attempts})

    def phase(self, phase: Phase) -> None:
        """Record what the job is doing."""
        begun = PhaseRecord(name=phase, started_at=timestamp())
        self._save(phase=phase, phases=(*self._ended_phases(), begun))
        self.event("phase", {"phase": phase.value})

    def work(self, task: str, done: float, total: float, unit: str) -> None:
        """Record how far the task of the current phase is, at most once a second until done.

        Args:
            task: What is being done, in words.
            done: How much of it is done.
            total: Of how much.
            unit: Of both.
        """
        now = time.monotonic()
        if not self.record.phases or (done < total and now - self._last_work < PROGRESS_S):
            return
        self._last_work = now
        self._save(phases=self._with_work(task, done, total, unit))
        told = to_json(self.record.phases[-1])
        self.event("work", {"phase": told.pop("name"), **told})

    def progress(
        self, make: Callable[[], Progress], *, task: str = "training", force: bool = False
    ) -> None:
        """Record how far the job is, at most once a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_S:
            return
        self._last_progress = now
        progress = make()
        phases = self._with_work(task, *_amount(progress), progress.eta_s)
        if phases:
            progress = replace(progress, eta_s=phases[-1].eta_s)
        self._save(progress=progress, phases=phases)
        shown = ("step", "kimg", "training_s", "images_per_s", "eta_s", "losses", "done", "total")
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

    def collapsed(self, collapse: Collapse) -> None:
        """Record which rule ended the training; `end` follows."""
        self._save(collapse=collapse)

    def published(self, version: str, promotion: Promotion) -> None:
        """Record the version that the job made and the decision on its promotion."""
        promoted = promotion.is_promoted
        self._save(version=version, promoted=promoted, promotion=promotion)
        told = {"promoted": promoted, "reason": promotion.reason, "promotion": to_json(promotion)}
        self.event("published", {"version": version, **told})

    def pause(self, reason: str) -> JobRecord:
        """Return the job to the queue; it resumes from its state."""
        # The event first, as in `end`: whoever sees the job waiting can read why.
        self.event("paused", {"reason": reason})
        phases = self._ended_phases()
        self._save(status=JobStatus.QUEUED, phase=None, phases=phases, reason=reason)
        return self.record

    def requeue(self, reason: str) -> JobRecord:
        """Return the job to the queue for its next attempt, after its process ended."""
        attempts = self.record.attempts + 1
        phases = self._ended_phases()
        self._save(
            status=JobStatus.QUEUED, phase=None, phases=phases, attempts=attempts, reason=reason
        )
        return self.record

    def end(self, status: JobStatus, reason: str | None = None) -> JobRecord:
        """Record how the job ended; an import's upload is deleted."""
        # The event first: whoever sees an ended record can read all of its events.
        told: Json = {"reason": reason, "version": self.record.version}
        if self.record.collapse is not None:
            told["collapse"] = to_json(self.record.collapse)
        self.event(status.value, told)
        phases = self._ended_phases()
        self._save(status=status, phase=None, phases=phases, ended_at=timestamp(), reason=reason)
        if self.record.kind is JobKind.IMPORT:
            self._delete_upload()
        return self.record

    def _with_work(
        self, task: str, done: float, total: float | None, unit: str, eta_s: float | None = None
    ) -> tuple[PhaseRecord, ...]:
        """Return the phases, the current one with how far its task is and how long it will take."""
        if not self.record.phases:
            return ()
        *before, current = self.record.phases
        now = time.monotonic()
        if self._task_began is None or current.task != task or done < current.done:
            self._task_began = (now, done)  # a new task, or the same one again
        began_at, began_with = self._task_began
        if eta_s is None and total is not None and done > began_with:
            eta_s = (now - began_at) * (total - done) / (done - began_with)
        eta_s = None if eta_s is None else round(max(eta_s, 0.0), 1)
        current = replace(current, task=task, done=done, total=total, unit=unit, eta_s=eta_s)
        return (*before, current)

    def _ended_phases(self) -> tuple[PhaseRecord, ...]:
        """Return the phases of this attempt, the last one ended."""
        self._task_began = None
        if not self.record.phases:
            return ()
        *before, last = self.record.phases
        return (*before, replace(last, ended_at=last.ended_at or timestamp(), eta_s=None))

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


def _amount(progress: Progress) -> tuple[float, float | None, str]:
    """Return how much of a job's main task is done, of how much, and the unit."""
    if progress.total is not None:
        return progress.done, progress.total, "images"
    if progress.training_s_total is not None:
        return progress.training_s, progress.training_s_total, "s"
    return progress.kimg, progress.kimg_total, "kimg"


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
