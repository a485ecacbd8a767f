"""Orders from the command line, and what it shows of them."""

import pytest

from app.cli.train import parse_overrides, view
from models.errors import InvalidValue
from models.store.records import JobKind, JobRecord, JobStatus, Phase, Progress
from tests.app.ordering import add_dataset
from tests.records import training_order


def test_overrides_keep_their_types():
    texts = ["width=64", "lr_generator=2e-4", "mirror=false"]
    assert parse_overrides(texts) == {"width": 64, "lr_generator": 2e-4, "mirror": False}


@pytest.mark.parametrize("text", ["width", "width=", "width=wide"])
def test_an_override_without_a_value_is_refused(text):
    with pytest.raises(InvalidValue, match=f"'{text}'"):
        parse_overrides([text])


def test_recipe_and_dataset_are_needed_for_a_new_job(cattery):
    outcome = cattery("train", "--minutes", "1")
    assert outcome.code == 2
    assert "RECIPE" in outcome.err


def test_an_unknown_dataset_is_one_line(cattery):
    outcome = cattery("train", "dcgan", "--dataset", "dogs", "--minutes", "1")
    assert outcome.code == 1
    assert outcome.err == "Error: There is no dataset 'dogs'. Known: none.\n"


def test_a_workers_job_is_left_to_the_worker(cattery, store):
    """`--resume` of a job that a worker may run is refused: two would write one state."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    outcome = cattery("train", "--resume", record.id)
    assert outcome.code == 1
    assert "belongs to a worker" in outcome.err


def _record(**changes):
    return JobRecord(id="any", kind=JobKind.TRAIN, order={}, created_at="", **changes)


def test_the_bar_follows_the_budget_in_minutes():
    """With a budget in minutes the share is that of the training time."""
    how_far = {"training_s": 30, "training_s_total": 120, "images_per_s": 80}
    progress = Progress(kimg=12.0, losses={"generator": 1.5}, **how_far)
    shown = view(_record(phase=Phase.TRAINING, status=JobStatus.STARTED, progress=progress))
    assert shown["completed"] == pytest.approx(0.25)
    assert shown["description"] == "training"
    assert shown["status"] == "12.0 kimg  80 img/s  G 1.50"


def test_the_bar_follows_the_budget_in_kimg():
    assert view(_record(progress=Progress(kimg=3, kimg_total=4)))["completed"] == 0.75
    assert view(_record(progress=Progress(kimg=5, kimg_total=4)))["completed"] == 1.0


@pytest.mark.parametrize(
    "given", [["dcgan"], ["--dataset", "cats"], ["--size", "32"], ["--set", "width=8"]]
)
def test_what_a_resumed_job_would_ignore_is_refused(cattery, given):
    outcome = cattery("train", "--resume", "x", *given)
    assert outcome.code == 2
    assert "with --resume" in " ".join(outcome.err.split())


def test_a_budget_is_one_and_only_one(cattery, store, tmp_path):
    """What nobody gave is not in the message."""
    add_dataset(store, tmp_path)
    order = ("train", "dcgan", "--dataset", "cats", "--size", "64")
    none = cattery(*order)
    both = cattery(*order, "--kimg", "1", "--minutes", "2")
    assert (none.code, both.code) == (1, 1)
    assert none.err.startswith("Error: The budget is missing.")
    assert both.err.startswith("Error: The budget has both kimg and minutes.")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--kimg", "-1"], "--kimg is -1.0. Allowed: more than 0"),
        (["--kimg", "1", "--size", "100"], "--size is 100. Allowed: a power of two"),
        (["--kimg", "1", "--set", "ema=2"], "--set ema is 2. Allowed: "),
        (["--kimg", "1", "--size", "32"], "The dataset 'cats' has 0 training images of 32 px"),
    ],
)
def test_an_error_names_what_was_typed(cattery, store, tmp_path, given, told):
    add_dataset(store, tmp_path)
    outcome = cattery("train", "dcgan", "--dataset", "cats", *given)
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: {told}")
