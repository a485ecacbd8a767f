"""The transitions of a job, as the process that runs, stops or ends it writes them.

docs/reliability.md has the state machine: which states there are and who may leave them how.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Any

from models.errors import CatteryError, LeaseLost, StoreError
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
MAX_DEATHS = 5  # deaths without progress after which a job gives up, and then fails

STAGES = {
    JobKind.TRAIN: (Phase.PREPARING, Phase.TRAINING, Phase.MEASURING, Phase.PUBLISHING),
    JobKind.IMPORT: (Phase.PREPARING, Phase.PUBLISHING, Phase.MEASURING),
}
"""The phases of a job in order: reaching the next one is progress."""

DIED = "Its process died; the worker's log may say why (usually out of memory)."
GOES_ON = {
    JobKind.TRAIN: "The job resumes from its last saved state.",
    JobKind.IMPORT: "The import starts over.",
}

CANCELED_PAUSED = (
    "Canceled while it was paused. Its training state is kept until the job is deleted; "
    "`cattery train --resume {job}` continues from it."
)

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
    """Writes one job's record and history.

    Every method but `run` and `check_lease` is one atomic change. It raises LeaseLost and changes
    nothing if the lease is lost, or if another process has changed the job since this one read it.

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
        """Take a job up and do its work, which returns its record.

        An error of the store returns the job to the queue; any other error ends it as failed.

        Raises:
            LeaseLost: Another process holds the job now, or has ended it.
            StoreError: The store cannot be written: the job is as it was, to be taken up again.
        """
        try:
            self.start()
            return work()
        except LeaseLost:
            raise
        except StoreError as err:
            return self.interrupt(str(err))
        except CatteryError as err:
            return self.end(JobStatus.FAILED, str(err))
        except Exception as err:
            log.exception("Job %s failed", self.record.id)
            return self.end(JobStatus.FAILED, f"{type(err).__name__}: {err}")

    def check_lease(self) -> None:
        """Raise LeaseLost unless this process still holds the job."""
        if not self._lease():
            raise LeaseLost(self.record.id)

    def is_current(self) -> bool:
        """Whether the store has the job as this process knows it; False where it cannot be read."""
        try:
            now = self._store.jobs.get(self.record.id)
        except CatteryError:
            return False
        return now.events == self.record.events

    def start(self) -> None:
        """Record that the job was taken up."""
        has_published = self.record.version is not None
        self._change(
            "started",
            {"attempt": self.record.attempts},
            status=JobStatus.STARTED,
            started_at=self.record.started_at or timestamp(),
            reason=self.record.reason if self.record.gives_up else None,  # told when it ends
            phases=(),
            # Training that resumes from before its collapse may go well this time.
            collapse=self.record.collapse if has_published else None,
        )

    def event(self, kind: str, data: Json) -> None:
        """Add an event that changes nothing in the record."""
        self._change(kind, data)

    def phase(self, phase: Phase) -> None:
        """Record what the job is doing."""
        begun = PhaseRecord(name=phase, started_at=timestamp())
        phases = (*self._ended_phases(), begun)
        self._change("phase", {"phase": phase.value}, phase=phase, phases=phases)

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
        phases = self._with_work(task, done, total, unit)
        told = to_json(phases[-1])
        self._change("work", {"phase": told.pop("name"), **told}, phases=phases)

    def progress(
        self, make: Callable[[], Progress], *, task: str = "training", force: bool = False
    ) -> None:
        """Record how far the job is, at most once a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_S:
            return
        self._last_progress = now
        made = make()
        phases = self._with_work(task, *_amount(made), made.eta_s)
        if phases:
            made = replace(made, eta_s=phases[-1].eta_s)
        shown = ("step", "kimg", "training_s", "images_per_s", "eta_s", "losses", "done", "total")
        told = {name: getattr(made, name) for name in shown}
        self._change("progress", told, progress=made, phases=phases)

    def sample(self, label: str, png: bytes) -> None:
        """Keep a sample sheet."""
        self._store.jobs.save_sample(self.record.id, label, png)
        samples = tuple(dict.fromkeys((*self.record.samples, label)))
        self._change("sample", {"kimg": label}, samples=samples)

    def snapshot(self, found: Json, best: Json | None) -> None:
        """Record a measured snapshot and which one is the best so far."""
        self._change("snapshot", {**found, "best": best}, best=best)

    def collapsed(self, collapse: Collapse) -> None:
        """Record which rule ended the training; `end` follows."""
        self._change("diagnosed", {"collapse": to_json(collapse)}, collapse=collapse)

    def published(
        self, version: str, promotion: Promotion, status: JobStatus = JobStatus.FINISHED
    ) -> None:
        """Record the version that the job made, and the decision on its promotion.

        Args:
            version: Its id.
            promotion: Whether it goes into service, which happens next, and why.
            status: How the job ends after that, whichever process ends it.
        """
        promoted = promotion.is_promoted
        told = {
            "version": version,
            "promoted": promoted,
            "reason": promotion.reason,
            "promotion": to_json(promotion),
            "status": status.value,
        }
        self._change("published", told, version=version, promoted=promoted, promotion=promotion)

    def pause(self, reason: str) -> JobRecord:
        """Return the job to the queue; it resumes from its state."""
        return self._change(
            "paused",
            {"reason": reason},
            status=JobStatus.QUEUED,
            phase=None,
            phases=self._ended_phases(),
            reason=reason,
        )

    def requeue(self, reason: str) -> JobRecord:
        """Give a job that waits its next attempt, since RQ is done with the last one."""
        attempts = self.record.attempts + 1
        data = {"reason": reason, "attempt": attempts}
        return self._change("queued", data, status=JobStatus.QUEUED, attempts=attempts)

    def interrupt(self, cause: str) -> JobRecord:
        """Return the job to the queue after its process died, or could not go on.

        After MAX_DEATHS without progress the job gives up: its next process only publishes the
        best snapshot. When there is nothing to publish, or that fails as often, it ends as failed.

        Args:
            cause: What happened, a sentence.
        """
        deaths = self._deaths_without_progress()
        gives_up = self.record.gives_up or deaths >= MAX_DEATHS
        reason = f"{cause} {GOES_ON[self.record.kind]}"
        if deaths >= MAX_DEATHS:
            reason = f"The job was interrupted {deaths} times without making progress. {cause}"
            if self.record.gives_up or not self._can_resume():
                return self.end(JobStatus.FAILED, reason)
        return self._change(
            "interrupted",
            {"reason": reason, **_reached(self.record)},
            status=JobStatus.QUEUED,
            phase=None,
            phases=self._ended_phases(),
            attempts=self.record.attempts + 1,
            reason=reason,
            gives_up=gives_up,
        )

    def end(self, status: JobStatus, reason: str | None = None) -> JobRecord:
        """Record how the job ended; an import's upload is deleted."""
        told: Json = {"reason": reason, "version": self.record.version}
        if self.record.collapse is not None:
            told["collapse"] = to_json(self.record.collapse)
        self._change(
            status.value,
            told,
            status=status,
            phase=None,
            phases=self._ended_phases(),
            ended_at=timestamp(),
            reason=reason,
        )
        delete_upload(self.record)
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

    def _change(self, kind: str, data: Json, **changes: Any) -> JobRecord:
        self.check_lease()
        self.record = self._store.jobs.change(self.record, kind, data, **changes)
        return self.record

    def _can_resume(self) -> bool:
        is_training = self.record.kind is JobKind.TRAIN
        return is_training and self._store.jobs.state(self.record.id).exists()

    def _deaths_without_progress(self) -> int:
        """Count deaths of its processes since the job last made progress, this one included."""
        reached = [
            _milestone(self.record.kind, event.data)
            for event in self._store.jobs.events(self.record.id)
            if event.type == "interrupted"
        ]
        now = _milestone(self.record.kind, _reached(self.record))
        # The latest first: a death after which the job made progress ends the count.
        return 1 + sum(1 for _ in takewhile(lambda before: before >= now, reversed(reached)))


def _amount(progress: Progress) -> tuple[float, float | None, str]:
    """Return how much of a job's main task is done, of how much, and the unit."""
    if progress.total is not None:
        return progress.done, progress.total, "images"
    if progress.training_s_total is not None:
        return progress.training_s, progress.training_s_total, "s"
    return progress.kimg, progress.kimg_total, "kimg"


def cancel_before_start(record: JobRecord, store: Store) -> JobRecord | None:
    """End a canceled job that waits in the queue, unless a worker can publish what it learned.

    Args:
        record: A job that somebody asked to cancel, as last read.
        store: Where it is stored.

    Returns:
        The ended record, or None if a process must end the job, or just took it up.
    """
    if record.status is not JobStatus.QUEUED:
        return None
    was_paused = record.kind is JobKind.TRAIN and store.jobs.state(record.id).exists()
    if was_paused and record.runner == "worker":
        return None  # its next process publishes the best snapshot
    # Nobody may ever resume a job of the command line: its end must not wait for that.
    reason = CANCELED_PAUSED.format(job=record.id) if was_paused else "Canceled before it started."
    try:
        return Journal(record, store).end(JobStatus.CANCELED, reason)
    except LeaseLost:
        return None


def delete_upload(record: JobRecord) -> None:
    """Delete the upload of an import that has ended, if that is still there."""
    if record.kind is not JobKind.IMPORT:
        return
    upload = Path(record.order.get("source", ""))
    try:
        upload.unlink(missing_ok=True)
    except OSError as err:  # costs disk space, not the dataset
        log.warning("Could not delete the upload %s: %s", upload, err)


def _reached(record: JobRecord) -> Json:
    """Return how far a job is: phase, and kimg of a training or images of an import."""
    is_training = record.kind is JobKind.TRAIN
    progress = record.progress.kimg if is_training else float(record.progress.done)
    return {"progress": progress, "phase": record.phase, "gives_up": record.gives_up}


def _milestone(kind: JobKind, reached: Json) -> tuple[bool, int, float]:
    """Return what `_reached` returned, now or in an earlier release, as one value to compare."""
    stages, phase = STAGES[kind], reached.get("phase")
    stage = stages.index(phase) if phase in stages else 0
    return bool(reached.get("gives_up")), stage, float(reached.get("progress", 0.0))
