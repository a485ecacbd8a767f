from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import LeaseLost, TrainingCollapsed
from models.jobs.context import JobContext
from models.jobs.training_job import run_training
from models.store import Store
from models.store.journal import DIED, Journal, StopReason
from models.store.records import Budget, JobKind, JobRecord, JobStatus, Promote, TrainingOrder
from models.training.trainer import Trainer


class Runner:
    """Runs jobs of one store as a worker would."""

    def __init__(self, store: Store, cache: Path) -> None:
        self.store, self.cache, self.announced = store, cache, list[str]()

    def create(self, order: TrainingOrder) -> JobRecord:
        """Write a job down."""
        return self.store.jobs.create(JobKind.TRAIN, order)[0]

    def run(self, record, lease=lambda: True, should_stop=lambda: None):
        """Carry a job out here."""
        place = JobContext(store=self.store, cache=self.cache, device="cpu", fakes=64)
        return run_training(
            record, place, lease=lease, should_stop=should_stop, announce=self.announced.append
        )

    def events(self, record: JobRecord) -> list[str]:
        """Return the kinds of a job's events."""
        return [event.type for event in self.store.jobs.events(record.id)]


@pytest.fixture
def runner(store_with_cats, tmp_path, monkeypatch):
    """A runner that looks between any two steps."""
    monkeypatch.setattr("models.training.schedule.STOP_CHECK_S", 0.0)
    return Runner(store_with_cats, tmp_path / "cache")


def _after(looks: int, reason: StopReason) -> Callable[[], StopReason | None]:
    left = iter([None] * looks)
    return lambda: next(left, reason)


def test_a_job_ends_with_a_version_in_service(runner, small_order):
    record = runner.run(runner.create(small_order(seed=5)))
    assert record.status is JobStatus.FINISHED, record.reason
    card = runner.store.versions.card("tiny", str(record.version))
    assert runner.store.aliases.get("tiny").serving == card.version
    assert (card.recipe, card.seed, card.kimg, card.job) == ("dcgan", 5, 0.08, record.id)
    assert card.dataset["pictures"] == 60
    assert {row["name"] for row in card.metrics} >= {"kid", "frechet_distance", "precision"}
    assert {row["protocol"]["fakes"] for row in card.metrics} == {64}
    assert runner.announced == ["tiny"]
    assert record.progress.kimg == 0.08
    assert record.progress.eta_s == 0
    assert runner.store.jobs.sample(record.id, record.samples[0]).startswith(b"\x89PNG")
    events = runner.events(record)
    assert events[:2] == ["queued", "started"]
    assert events[-2:] == ["published", "finished"]
    assert {"phase", "progress", "sample", "snapshot"} <= set(events)
    phases = {phase.name.value: phase for phase in record.phases}
    assert list(phases) == ["preparing", "training", "measuring", "publishing"]
    assert all(phase.ended_at for phase in phases.values())
    told = {name: (phase.done, phase.total, phase.unit) for name, phase in phases.items()}
    assert told["preparing"] == (64, 64, "images")  # of the dataset, held-out ones included
    assert told["training"] == (0.08, 0.08, "kimg")
    assert told["measuring"] == (64, 64, "images")
    assert record.promotion.reason == "Promoted: no version was in service."


def test_a_paused_job_ends_with_the_weights_of_an_uninterrupted_one(runner, small_order):
    """The version's id is a hash of the weights: equal ids, equal weights."""
    whole = runner.run(runner.create(small_order()))
    paused = runner.run(runner.create(small_order()), should_stop=_after(6, StopReason.PAUSE))
    assert paused.status is JobStatus.QUEUED
    assert 0 < paused.progress.kimg < 0.08
    resumed = runner.run(paused)
    assert resumed.version == whole.version
    assert "resumed" in runner.events(resumed)


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_canceled_job_publishes_its_snapshot(runner, small_order, monkeypatch, is_waiting):
    """And never promotes it, even if the order says always; so with one that was paused before."""
    monkeypatch.setattr("models.training.schedule.MIN_SNAPSHOT_KIMG", 0.01)
    record, looks = runner.create(small_order(promote=Promote.ALWAYS)), 8
    if is_waiting:
        record, looks = runner.run(record, should_stop=_after(looks, StopReason.PAUSE)), 0
        assert record.best is not None
    record = runner.run(record, should_stop=_after(looks, StopReason.CANCEL))
    assert record.status is JobStatus.CANCELED
    assert record.version is not None
    assert record.promoted is False
    assert runner.store.aliases.get("tiny").serving is None


def test_a_job_canceled_before_its_first_step_publishes_nothing(runner, small_order):
    record = runner.run(runner.create(small_order()), should_stop=_after(1, StopReason.CANCEL))
    assert (record.status, record.version) == (JobStatus.CANCELED, None)
    assert runner.store.versions.models() == []


def test_canceling_keeps_what_was_learned(runner, small_order):
    """Even if no snapshot was due; another job resumes where it was canceled."""
    first = runner.run(runner.create(small_order()), should_stop=_after(6, StopReason.CANCEL))
    assert first.status is JobStatus.CANCELED
    card = runner.store.versions.card("tiny", str(first.version))
    assert 0 < card.kimg == first.progress.kimg < 0.08
    rest = Budget(kimg=0.08 - card.kimg)
    second = runner.run(runner.create(small_order(resume_from=first.id, budget=rest)))
    [resumed] = [e for e in runner.store.jobs.events(second.id) if e.type == "resumed"]
    assert resumed.data["kimg"] == card.kimg
    whole = runner.run(runner.create(small_order()))
    assert second.version == whole.version


def test_the_order_s_wish_decides(runner, small_order):
    """If better keeps an equal version back, always and never do what they say."""
    first = runner.run(runner.create(small_order()))
    equal = runner.run(runner.create(small_order()))
    assert (equal.version, equal.promoted) == (first.version, False)
    always = runner.run(runner.create(small_order(seed=9, promote=Promote.ALWAYS)))
    assert runner.store.aliases.get("tiny").serving == always.version
    never = runner.run(runner.create(small_order(seed=4, promote=Promote.NEVER)))
    assert runner.store.aliases.get("tiny").serving == always.version
    assert never.promoted is False


def test_a_metric_that_cannot_be_computed_never_promotes(runner, small_order, monkeypatch):
    def fail(*_, **__):
        raise ArithmeticError("no convergence")

    monkeypatch.setattr("models.publishing.evaluation.measure", fail)
    record = runner.run(runner.create(small_order()))
    assert record.status is JobStatus.FINISHED
    assert record.version is not None
    assert record.promoted is False
    assert runner.store.versions.card("tiny", record.version).metrics == ()


def test_a_diverged_job_ends_collapsed(runner, small_order, monkeypatch):
    original = Trainer.step

    def poisoned(self):
        losses = original(self)
        return replace(losses, generator=losses.generator * float("nan"))

    monkeypatch.setattr(Trainer, "step", poisoned)
    record = runner.run(runner.create(small_order(budget=Budget(kimg=4))))
    assert record.status is JobStatus.COLLAPSED
    assert "step 50 (non_finite)" in str(record.reason)
    collapse = record.collapse
    assert (collapse.rule, collapse.step, collapse.limit) == ("non_finite", 50, 0)
    assert collapse.value >= 1
    assert collapse.kimg == 0.4
    assert collapse.sample == record.samples[-1] == "0.4"
    assert runner.store.jobs.events(record.id)[-1].data["collapse"]["rule"] == "non_finite"


def test_a_collapsed_job_keeps_its_best_snapshot(runner, small_order, monkeypatch):
    """And never promotes it, even if the order says always; the card says why."""
    monkeypatch.setattr("models.training.schedule.MIN_SNAPSHOT_KIMG", 0.1)

    def fail(*_):
        raise TrainingCollapsed(50, "alike", "all are one cat")

    monkeypatch.setattr("models.training.collapse.CollapseDetector.check", fail)
    order = small_order(budget=Budget(kimg=0.8), promote=Promote.ALWAYS)
    record = runner.run(runner.create(order))
    assert (record.status, record.promoted) == (JobStatus.COLLAPSED, False)
    assert runner.store.aliases.get("tiny").serving is None
    card = runner.store.versions.card("tiny", str(record.version))
    assert card.kimg < 0.4
    assert "alike" in str(card.promotion)


def test_out_of_memory_ends_the_job_with_what_would_fit(runner, small_order, monkeypatch):
    """Here a device has room for batches of four."""
    original = Trainer.step

    def small(self):
        if self.settings.batch > 4:
            raise torch.OutOfMemoryError("no room")
        return original(self)

    monkeypatch.setattr(Trainer, "step", small)
    overrides = {"width": 4, "batch": 32}
    record = runner.run(runner.create(small_order(overrides=overrides)))
    assert (record.status, record.version) == (JobStatus.FAILED, None)
    assert "Out of memory on cpu with batch 32; 4 fits" in str(record.reason)


def test_a_job_goes_on_from_another_s_state(runner, small_order):
    """Its kimg count on, its parent is on the card, its own budget is spent whole."""
    first = runner.run(runner.create(small_order()))
    second = runner.run(runner.create(small_order(resume_from=first.id)))
    card = runner.store.versions.card("tiny", str(second.version))
    assert (card.parent, second.progress.kimg) == (first.version, 0.16)
    whole = runner.run(runner.create(small_order(budget=Budget(kimg=0.16), model="other")))
    assert second.version == whole.version


def test_a_job_starts_with_another_s_weights(runner, small_order):
    """Its count begins anew, its parent is on the card, its weights are not a fresh start's."""
    first = runner.run(runner.create(small_order()))
    second = runner.run(runner.create(small_order(init_from=first.id)))
    card = runner.store.versions.card("tiny", str(second.version))
    assert (card.parent, second.progress.kimg) == (first.version, 0.08)
    assert second.version != first.version
    events = runner.store.jobs.events(second.id)
    assert [e.data for e in events if e.type == "initialized"] == [{"from": first.id}]


def test_a_job_told_to_stop_while_nobody_knows_whose_it_is_keeps_what_it_learned(
    runner, small_order
):
    """An outage of Redis that outlasts the lease: nothing is recorded, but the state is saved."""
    whole = runner.run(runner.create(small_order()))
    record, is_known = runner.create(small_order()), [True]
    looks = iter([None] * 6)

    def stop():
        is_known[:] = [is_known[0] and next(looks, True) is None]
        return None if is_known[0] else StopReason.PAUSE

    with pytest.raises(LeaseLost):
        runner.run(record, lease=lambda: is_known[0], should_stop=stop)
    left = runner.store.jobs.get(record.id)
    assert left.status is JobStatus.STARTED
    ended = runner.run(Journal(left, runner.store).interrupt(DIED))
    [resumed] = [e for e in runner.store.jobs.events(record.id) if e.type == "resumed"]
    assert 0 < resumed.data["kimg"] < 0.08
    assert ended.version == whole.version


@pytest.mark.parametrize("has_state", [False, True])
def test_a_job_told_to_stop_after_another_process_took_it_saves_nothing(
    runner, small_order, has_state
):
    """Whether that one has already taken the training state over or only the record."""
    record, looks = runner.create(small_order()), iter([None] * 6)
    state = runner.store.jobs.state(record.id)

    def stop():
        if next(looks, True) is None:
            return None
        if has_state:
            state.write(state.take(), "other", b"...")
        else:
            Journal(runner.store.jobs.get(record.id), runner.store).interrupt(DIED)
        return StopReason.PAUSE

    with pytest.raises(LeaseLost):
        runner.run(record, should_stop=stop)
    assert state.newest("trainer.safetensors") is None
    assert state.newest("other") == (b"..." if has_state else None)


def test_who_lost_the_lease_writes_nothing_more(runner, small_order):
    record = runner.create(small_order())
    holds = iter([True] * 8)
    with pytest.raises(LeaseLost):
        runner.run(record, lease=lambda: next(holds, False))
    assert runner.store.jobs.get(record.id).status is JobStatus.STARTED


def test_a_job_without_its_dataset_fails_and_says_so(runner, small_order):
    record = runner.run(runner.create(small_order(dataset="lost")))
    assert record.status is JobStatus.FAILED
    assert "lost" in str(record.reason)
