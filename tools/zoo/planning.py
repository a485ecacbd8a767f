"""What training the zoo has still to do, told from its entries and the store's jobs alone."""

import json
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from models.errors import Gone, NotFound, StoreError
from models.store import Store
from models.store.records import (
    Budget,
    Event,
    JobKind,
    JobRecord,
    JobStatus,
    Promote,
    TrainingOrder,
)
from models.store.serialization import from_json
from tools.zoo.table import Entry

RUNNER = "cli"

SILENT_S = 15.0
"""A training process tells of itself every second; after so many it is taken for dead."""

_MEMORY = re.compile(r"\bmemory\b|MemoryError|ALLOC_FAILED", re.IGNORECASE)


class Standing(StrEnum):
    """How far an entry is."""

    DONE = "done"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """An entry, how far it is, and the job that says so.

    Attributes:
        entry: The entry.
        standing: DONE: its version is in the store. BUSY: some process trains it.
            INTERRUPTED: its job waits to be resumed. ENDED: its job ended without what
            was wanted. TO_DO: nothing of it is there.
        job: None for what is to do.
    """

    entry: Entry
    standing: Standing
    job: JobRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much is trained side by side; None is no limit.

    Attributes:
        places: Number of entries.
        memory_gb: Sum of their `Entry.memory_gb`.
    """

    places: int | None = None
    memory_gb: float | None = None

    def holds(self, entry: Entry, beside: Sequence[Entry]) -> bool:
        """Whether an entry fits beside others; alone it always does, for somebody must try."""
        if not beside:
            return True
        taken_gb = entry.memory_gb + sum(other.memory_gb for other in beside)
        has_place = self.places is None or len(beside) < self.places
        return has_place and (self.memory_gb is None or taken_gb <= self.memory_gb)

    def at_once(self, entries: Sequence[Entry]) -> int:
        """Return how many of some entries are begun together."""
        beside: list[Entry] = []
        for entry in entries:
            if self.holds(entry, beside):
                beside.append(entry)
        return len(beside)


def chosen(entries: Sequence[Entry], names: Sequence[str]) -> tuple[Entry, ...]:
    """Return the entries that are meant, in the table's order: all of them for no name.

    Raises:
        NotFound: One is unknown; the known ones are told.
    """
    known = [entry.model for entry in entries]
    for name in names:
        if name not in known:
            raise NotFound("zoo entry", name, known)
    return tuple(entry for entry in entries if not names or entry.model in names)


def wanted(entry: Entry) -> TrainingOrder:
    """Return the order that makes an entry, as its job's record holds it.

    Raises:
        NotFound: Its recipe is unknown.
        RecipeError: Its numbers are not the recipe's.
    """
    given = entry.row.with_overrides(entry.overrides).given()
    return TrainingOrder(
        recipe=entry.recipe,
        dataset=entry.dataset,
        model=entry.model,
        size_px=entry.side_px,
        budget=Budget(kimg=entry.kimg),
        seed=entry.seed,
        overrides={name: given[name] for name in entry.overrides},
        promote=Promote.NEVER,
    )


def train_arguments(entry: Entry) -> list[str]:
    """Return the words after `cattery` that train an entry: the documented command."""
    words = ["train", entry.recipe, "--dataset", entry.dataset, "--kimg", json.dumps(entry.kimg)]
    words += ["--model", entry.model, "--size", str(entry.side_px), "--seed", str(entry.seed)]
    for name, value in entry.overrides.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return [*words, "--promote", Promote.NEVER.value]


def survey(entries: Sequence[Entry], store: Store, ours: Container[str] = ()) -> list[Outlook]:
    """Tell of each entry how far it is.

    Args:
        entries: The entries.
        store: Where their jobs and versions are.
        ours: Jobs that nobody but the caller's own processes carries out.
    """

    def is_published(model: str, version: str) -> bool:
        try:
            return bool(store.versions.card(model, version))
        except (NotFound, Gone):
            return False

    def is_running(job: JobRecord) -> bool:
        return job.id not in ours and gives_signs(job, store.jobs.events(job.id))

    jobs = store.jobs.list()
    return [
        outlook(entry, jobs, is_published=is_published, is_running=is_running) for entry in entries
    ]


def outlook(
    entry: Entry,
    jobs: Sequence[JobRecord],
    *,
    is_published: Callable[[str, str], bool],
    is_running: Callable[[JobRecord], bool],
) -> Outlook:
    """Tell how far an entry is.

    Args:
        entry: The entry.
        jobs: All of the store's, newest first.
        is_published: Whether a model's version exists; one that was deleted is made again.
        is_running: Whether some process carries a job out that has not ended.
    """
    own = _jobs_of(entry, jobs)
    for job in own:
        is_finished = job.status is JobStatus.FINISHED and job.version is not None
        if is_finished and is_published(entry.model, str(job.version)):
            return Outlook(entry=entry, standing=Standing.DONE, job=job)
    for job in own:
        if not job.status.has_ended and job.runner == RUNNER:
            standing = Standing.BUSY if is_running(job) else Standing.INTERRUPTED
            return Outlook(entry=entry, standing=standing, job=job)
    ended = next((job for job in own if job.status.has_ended), None)
    if ended is None or ended.status is JobStatus.FINISHED:
        return Outlook(entry=entry, standing=Standing.TO_DO)
    return Outlook(entry=entry, standing=Standing.ENDED, job=ended)


def gives_signs(job: JobRecord, events: Sequence[Event], now: datetime | None = None) -> bool:
    """Whether some process carries a job out, as its history tells.

    A process that measures is silent for longer and taken for dead. That does no harm: who
    takes a job over keeps the other one from writing (`models.store.training_state`).

    Args:
        job: The job.
        events: Its history, oldest first.
        now: An aware time; the present if None.
    """
    if job.status is not JobStatus.STARTED or not events:
        return False
    silence = (now or datetime.now(UTC)) - datetime.fromisoformat(events[-1].at)
    return silence < timedelta(seconds=SILENT_S)


def startable(outlooks: Sequence[Outlook], beside: Sequence[Entry], room: Room) -> list[Outlook]:
    """Return what is to be started now: what was interrupted first, then in the given order.

    An entry that does not fit lets a later, smaller one overtake it.

    Args:
        outlooks: Of the entries that do not run.
        beside: The entries that run.
        room: What fits.
    """
    waiting = [each for each in outlooks if each.standing is Standing.INTERRUPTED]
    waiting += [each for each in outlooks if each.standing is Standing.TO_DO]
    taken, started = list(beside), []
    for each in waiting:
        if room.holds(each.entry, taken):
            taken.append(each.entry)
            started.append(each)
    return started


def was_short_of_memory(job: JobRecord) -> bool:
    """Whether a job failed since memory did not suffice."""
    return job.status is JobStatus.FAILED and _MEMORY.search(job.reason or "") is not None


def _jobs_of(entry: Entry, jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """Return the jobs whose order is an entry's, whether or not they were to promote it."""
    order = wanted(entry)
    found = []
    for job in jobs:
        if job.kind is not JobKind.TRAIN:
            continue
        try:
            theirs = from_json(TrainingOrder, job.order)
        except StoreError:  # a damaged order is nobody's
            continue
        if replace(theirs, promote=order.promote) == order:
            found.append(job)
    return found
