"""Whole jobs on a GPU."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from models.jobs.context import JobContext
from models.jobs.training_job import run_training
from models.store import Store
from models.store.records import Budget, JobKind, JobRecord, JobStatus, TrainingOrder

Run = Callable[..., JobRecord]


@pytest.fixture
def run(store: Store, tmp_path: Path, gpu: torch.device) -> Run:
    """Carry out a job on the GPU, as a worker would."""

    def carry_out(**changes: object) -> JobRecord:
        values: dict = {"recipe": "dcgan", "dataset": "noise", "model": "tiny", "size_px": 32}
        values |= {"budget": Budget(kimg=2), "overrides": {"width": 16, "batch": 64}}
        record, _ = store.jobs.create(JobKind.TRAIN, TrainingOrder(**values | changes))
        place = JobContext(store=store, cache=tmp_path / "cache", device=str(gpu), fakes=64)
        quiet: dict = {"should_stop": lambda: None, "announce": lambda _model: None}
        return run_training(record, place, lease=lambda: True, **quiet)

    return carry_out


@pytest.fixture
def little_memory(gpu: torch.device) -> Iterator[int]:
    """Have the GPU hold four GB only, as far as torch is concerned."""
    limit = 4 << 30
    total = torch.cuda.mem_get_info(gpu)[1]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))
    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("recipe", ["dcgan", "wgan", "r3gan", "projected"])
def test_a_job_ends_with_a_version(run: Run, store: Store, recipe: str) -> None:
    """Sampled, measured and saved between replays; the card says what it was computed in."""
    record = run(recipe=recipe, budget=Budget(kimg=6))
    assert record.status is JobStatus.FINISHED, record.reason
    card = store.versions.card("tiny", str(record.version))
    assert card.metrics
    assert len(record.samples) > 2


def test_a_budget_in_minutes_is_spent_and_not_overdrawn(run, monkeypatch):
    """What the GPU still owed when the time was up is less than half a second."""
    monkeypatch.setattr("models.training.collapse.RULES", {})  # noise may be learned in any way
    record = run(budget=Budget(minutes=0.1))
    assert record.status is JobStatus.FINISHED, record.reason
    assert 6.0 <= record.progress.training_s <= 6.5
    shown = 1000 * record.progress.kimg / record.progress.training_s
    assert record.progress.images_per_s == pytest.approx(shown, rel=0.05)


def test_a_batch_that_does_not_fit_ends_the_job_with_one_that_does(run, little_memory):
    """The reason names both, the batch that it names trains, and the process goes on."""
    large = {"width": 256, "batch": 1024}
    record = run(size_px=64, overrides=large)
    assert record.status is JobStatus.FAILED
    found = re.search(r"with batch 1024; (\d+) fits", str(record.reason))
    assert found, record.reason
    fitting = {**large, "batch": int(found[1])}
    again = run(size_px=64, overrides=fitting, budget=Budget(kimg=20))
    assert again.status is JobStatus.FINISHED, again.reason
