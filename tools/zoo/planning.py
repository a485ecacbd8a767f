"""What is left to train, derived from the entries and the store's jobs alone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from models.errors import Gone, NotFound, StoreError
from models.store import Store
from models.store.records import Budget, JobKind, JobRecord, JobStatus, Promote, TrainingOrder
from models.store.serialization import from_json
from tools.zoo.table import Entry

RUNNER = "cli"


class State(StrEnum):
    """How far an entry is.

    DONE: its version is in the store. INTERRUPTED: its job can be resumed. FAILED: its job
    ended without the wanted version. TO_DO: there is no job for it.
    """

    DONE = "done"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStatus:
    """An entry, its state, and the job that determined it (None for TO_DO)."""

    entry: Entry
    state: State
    job: JobRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Limits on concurrent training; None is no limit.

    Attributes:
        jobs: Number of entries.
        memory_gb: Sum of their `Entry.memory_gb`.
    """

    jobs: int | None = None
    memory_gb: float | None = None

    def fits(self, entry: Entry, running: Sequence[Entry]) -> bool:
        """Whether an entry fits beside others; alone it always does, since sizes are estimates."""
        if not running:
            return True
        memory_gb = entry.memory_gb + sum(other.memory_gb for other in running)
        has_slot = self.jobs is None or len(running) < self.jobs
        return has_slot and (self.memory_gb is None or memory_gb <= self.memory_gb)

    def concurrent(self, entries: Sequence[Entry]) -> int:
        """Return how many of some entries would start together."""
        running: list[Entry] = []
        for entry in entries:
            if self.fits(entry, running):
                running.append(entry)
        return len(running)


def select(entries: Sequence[Entry], names: Sequence[str]) -> tuple[Entry, ...]:
    """Return the entries with these models in the table's order; all of them for no name.

    Raises:
        NotFound: A name is unknown.
    """
    known = [entry.model for entry in entries]
    for name in names:
        if name not in known:
            raise NotFound("zoo entry", name, known)
    return tuple(entry for entry in entries if not names or entry.model in names)


def order_for(entry: Entry) -> TrainingOrder:
    """Return the training order of an entry, in the form that its job's record stores.

    Raises:
        NotFound: Its recipe is unknown.
        RecipeError: An override is not one of the recipe's, or out of range.
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
    """Return the arguments of `cattery` that train an entry."""
    words = ["train", entry.recipe, "--dataset", entry.dataset, "--kimg", json.dumps(entry.kimg)]
    words += ["--model", entry.model, "--size", str(entry.side_px), "--seed", str(entry.seed)]
    for name, value in entry.overrides.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return [*words, "--promote", Promote.NEVER.value]


def survey(entries: Sequence[Entry], store: Store) -> list[EntryStatus]:
    """Return the status of each entry, as the store's jobs and versions tell it."""

    def is_published(model: str, version: str) -> bool:
        try:
            return bool(store.versions.card(model, version))
        except (NotFound, Gone):
            return False

    jobs = store.jobs.list()
    return [status_of(entry, jobs, is_published) for entry in entries]


def status_of(
    entry: Entry, jobs: Sequence[JobRecord], is_published: Callable[[str, str], bool]
) -> EntryStatus:
    """Return the status of an entry.

    Args:
        entry: The entry.
        jobs: All of the store's, newest first.
        is_published: Whether a model's version exists; a deleted one is trained again.
    """
    own = _jobs_of(entry, jobs)
    for job in own:
        is_finished = job.status is JobStatus.FINISHED and job.version is not None
        if is_finished and is_published(entry.model, str(job.version)):
            return EntryStatus(entry=entry, state=State.DONE, job=job)
    for job in own:
        # A worker's job is the worker's to resume.
        if not job.status.has_ended and job.runner == RUNNER:
            return EntryStatus(entry=entry, state=State.INTERRUPTED, job=job)
    ended = next((job for job in own if job.status.has_ended), None)
    if ended is None or ended.status is JobStatus.FINISHED:
        return EntryStatus(entry=entry, state=State.TO_DO)
    return EntryStatus(entry=entry, state=State.FAILED, job=ended)


def startable(
    waiting: Sequence[EntryStatus], running: Sequence[Entry], capacity: Capacity
) -> list[EntryStatus]:
    """Return what to start now: interrupted entries first, then in the given order.

    An entry that does not fit is overtaken by a later one that does.
    """
    beside, started = list(running), []
    for each in sorted(waiting, key=lambda each: each.state is not State.INTERRUPTED):
        if capacity.fits(each.entry, beside):
            beside.append(each.entry)
            started.append(each)
    return started


def _jobs_of(entry: Entry, jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """Return the jobs with an entry's order; whether they were to be promoted does not matter."""
    order = order_for(entry)
    found = []
    for job in jobs:
        if job.kind is not JobKind.TRAIN:
            continue
        try:
            theirs = from_json(TrainingOrder, job.order)
        except StoreError:  # a damaged order matches no entry
            continue
        if replace(theirs, promote=order.promote) == order:
            found.append(job)
    return found
