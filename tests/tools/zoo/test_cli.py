"""`python -m tools.zoo train`: what it takes and prints; nothing is trained."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus
from tests.models.comparison.comparisons import Stage
from tests.records import add_dataset
from tools.zoo.children import zoo_lock
from tools.zoo.cli import default_edition
from tools.zoo.planning import order_for
from tools.zoo.session import Outcome
from tools.zoo.table import EDITIONS

TOY = ("train", "--edition", "toy")


@pytest.fixture
def cat(store, tmp_path):
    """Return the store with a dataset `cat` of no pictures to train on."""
    return _with_cats(store, tmp_path, 60)


@pytest.fixture
def ended(cat, tmp_path):
    """Return a stage on which all entries of the toy edition have been trained."""
    stage = Stage(cat, tmp_path)
    for entry in EDITIONS["toy"]:
        stage.run(_job_for(cat, entry.model))
    return stage


def _with_cats(store: Store, folder: Path, count: int) -> Store:
    add_dataset(store, folder, {"32": np.zeros((count, 32, 32, 3), np.uint8)}, name="cat")
    return store


def _job_for(store: Store, model: str) -> JobRecord:
    [entry] = [each for each in EDITIONS["toy"] if each.model == model]
    return store.jobs.create(JobKind.TRAIN, order_for(entry), runner="cli")[0]


def test_a_trained_zoo_is_left_alone(ended, zoo):
    """The table is printed, and no job is created."""
    outcome = zoo(*TOY)
    assert outcome.code == 0, outcome.err
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0] == ["model", "version", "kimg", "seconds", "KID", "(95", "%)"]
    version = ended.store.versions.list("dcgan-32")[0].version
    assert lines[1] == ["dcgan-32", version, "0.2", "4.0", "0.0625", "(0.06", "to", "0.065)"]
    assert [line[0] for line in lines[1:]] == ["dcgan-32", "ralsgan-32", "projected-32"]
    assert outcome.err == "Trained: 3 of 3 models.\n"
    assert len(ended.store.jobs.list()) == 3
    chosen = zoo(*TOY, "ralsgan-32")
    assert len(chosen.out.splitlines()) == 2
    assert chosen.err == "Trained: 1 of 1 models.\n"


def test_a_failed_entry_is_skipped(cat, zoo, tmp_path):
    stage = Stage(cat, tmp_path, ends={"dcgan": (JobStatus.COLLAPSED, "All alike.")})
    stage.run(_job_for(cat, "dcgan-32"))
    outcome = zoo(*TOY, "dcgan-32")
    assert outcome.code == 1
    told, error = outcome.err.splitlines()
    assert told == "dcgan-32: Collapsed: All alike. Skipped; --again retries it."
    assert error.startswith("Error: Without a version: dcgan-32. Logs are in ")
    assert error.endswith("--again retries failed ones.")
    assert "Collapsed: All alike." in outcome.out


def test_no_job_starts_after_the_time_limit(cat, zoo):
    outcome = zoo(*TOY, "--stop-after", "0")
    assert outcome.code == 0
    assert outcome.err == "Saved. Rerun the command to resume.\n"
    assert [line.split()[1:3] for line in outcome.out.splitlines()[1:]] == [["to", "do"]] * 3
    assert cat.jobs.list() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tabby",), "There is no zoo entry 'tabby'. Known: dcgan-32, ralsgan-32, projected-32."),
        (("--edition", "tpu"), "There is no edition 'tpu'. Known: cpu, gpu, toy."),
        ((), "The store lacks the dataset 'cat'. Name the folder that holds cat/ and afhq/"),
        (("--pictures", "nowhere"), "pictures is 'nowhere'. Allowed: a folder that holds cat/."),
    ],
)
def test_an_impossible_request_is_one_line(store, zoo, arguments, says):
    """And no job is created."""
    outcome = zoo(*TOY, *arguments)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"Error: {says}")
    assert outcome.out == ""
    assert store.jobs.list() == []


def test_every_order_is_checked_before_anything_trains(store, zoo, tmp_path):
    """Six pictures make no batch of eight; the error names the entry."""
    _with_cats(store, tmp_path, 6)
    outcome = zoo(*TOY)
    assert outcome.code == 1
    assert "dcgan-32: The dataset 'cat' has 6 training images of 32 px" in outcome.err
    assert store.jobs.list() == []


def test_training_twice_at_once_is_refused(zoo, data):
    with zoo_lock(data):
        outcome = zoo(*TOY)
    assert outcome.code == 1
    assert f"already being trained in {data} (pid {os.getpid()}," in outcome.err


def test_a_job_that_was_not_saved_in_time_is_a_failure(cat, zoo, monkeypatch):
    monkeypatch.setattr("tools.zoo.train.Session.run", lambda *_: Outcome.LOST)
    outcome = zoo(*TOY)
    assert outcome.code == 1
    assert "will resume from their last checkpoint. Rerun the command" in outcome.err


def test_the_default_edition_is_that_of_the_device(monkeypatch):
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    assert default_edition() == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("CATTERY_DEVICE", "auto")
    assert default_edition() == "gpu"


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="needs Linux")
def test_idle_lowers_the_priority_before_anything_starts(cat, data):
    """Of the process itself and, by inheritance, of its children; in a session of its own here."""
    code = (
        "import os, sys, tools.zoo.cli as cli\n"
        "cli.train_zoo = lambda *_, **__: print("
        "os.sched_getscheduler(0) == os.SCHED_IDLE, os.nice(0))\n"
        "cli.zoo_commands(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, *TOY, "--idle"]
    said = subprocess.check_output(command, text=True, start_new_session=True)
    assert said.split() == ["True", "19"]
