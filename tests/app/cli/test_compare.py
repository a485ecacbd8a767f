"""`cattery compare`: what it takes, what it prints; its jobs are ended by a stand-in."""

import json

import numpy as np
import pytest

from models.store.records import JobStatus
from tests.models.comparison.comparisons import SHEET, Stage
from tests.records import dataset_record

ASKED = ("--data", "small", "--kimg", "0.5", "--size", "32", "--set", "batch=8")


@pytest.fixture
def stage(store, tmp_path, monkeypatch):
    """Return what ends the jobs of the command, with a dataset of no pictures to train on."""
    preview, pack = tmp_path / "preview.png", tmp_path / "32.npy"
    preview.write_bytes(SHEET)
    np.save(pack, np.zeros((60, 32, 32, 3), np.uint8))
    store.datasets.add(dataset_record({"32": 60}), {"preview.png": preview, "packs/32.npy": pack})
    stage = Stage(store, tmp_path / "out")
    run_training = "models.jobs.training_job.run_training"
    monkeypatch.setattr(run_training, lambda record, *_, **__: stage.run(record))
    return stage


def test_it_prints_the_table_and_says_where_the_page_is(stage, cattery):
    """A line a recipe on stdout; what is going on is on stderr."""
    outcome = cattery("compare", "dcgan", "lsgan", *ASKED, "--output", str(stage.folder))
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].split()[:3] == ["recipe", "status", "FD"]
    rows = [[name, "finished", "101.2"] for name in ("dcgan", "lsgan")]
    assert [line.split()[:3] for line in lines[1:]] == rows
    assert "2 recipes of 0.5 kimg each: 1 kimg in total." in outcome.err
    assert "too little to rank them" in outcome.err
    assert f"{stage.folder}/index.html" in outcome.err
    made = {path.name for path in stage.folder.rglob("*") if path.is_file()}
    assert made == {"comparison.json", "comparison.md", "index.html", "dcgan.png", "lsgan.png"}


def test_all_is_every_recipe(stage, cattery):
    """As is none; the same command runs nothing again."""
    from models.gan.recipes import RECIPES

    assert cattery("compare", "all", *ASKED, "-o", str(stage.folder)).code == 0
    assert [recipe for recipe, _ in stage.ran] == list(RECIPES)
    assert cattery("compare", *ASKED, "-o", str(stage.folder)).code == 0
    assert len(stage.ran) == len(RECIPES)


def test_an_interrupted_comparison_says_how_to_go_on(stage, cattery):
    stage.ends["dcgan"] = (JobStatus.QUEUED, None)
    command = ("compare", "dcgan", "lsgan", *ASKED, "-o", str(stage.folder))
    outcome = cattery(*command)
    assert (outcome.code, len(stage.ran)) == (0, 1)
    assert outcome.err.splitlines()[-1] == "Saved. Run the same command to resume."
    del stage.ends["dcgan"]
    outcome = cattery(*command)
    assert (outcome.code, len(stage.ran)) == (0, 3)
    assert stage.ran[0] == stage.ran[1]


def test_something_else_in_the_same_folder_is_one_line(stage, cattery):
    folder = str(stage.folder)
    assert cattery("compare", "dcgan", *ASKED, "-o", folder).code == 0
    outcome = cattery("compare", "dcgan", *ASKED, "-o", folder, "--seed", "7")
    assert outcome.code == 1
    assert outcome.err == (
        f"Error: seed is 7. Allowed: 0, as the comparison in '{folder}' has it; "
        "for another comparison, another --output.\n"
    )


def test_no_version_at_all_is_a_failure(stage, cattery):
    stage.ends["dcgan"] = (JobStatus.FAILED, "No memory.")
    outcome = cattery("compare", "dcgan", *ASKED, "-o", str(stage.folder))
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        f"Error: No recipe produced a version; {stage.folder}/comparison.md says why."
    )
    assert "No memory." in (stage.folder / "comparison.md").read_text(encoding="utf-8")


def test_the_number_of_fakes_reaches_the_run_and_the_record(stage, cattery, monkeypatch):
    """From the option, or else from the setting."""
    places = []

    def run(record, place, **_):
        places.append(place)
        return stage.run(record)

    monkeypatch.setattr("models.jobs.training_job.run_training", run)
    monkeypatch.setenv("CATTERY_FAKES", "48")
    for name, options in (("a", ("--fakes", "32")), ("b", ())):
        folder = stage.folder / name
        assert cattery("compare", "dcgan", *ASKED, "-o", str(folder), *options).code == 0
    assert [place.fakes for place in places] == [32, 48]
    record = json.loads((stage.folder / "a" / "comparison.json").read_text(encoding="utf-8"))
    assert record["asked"]["fakes"] == 32


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--data", "dogs", "--kimg", "1"), "There is no dataset 'dogs'."),
        (("dcgna", "--data", "small", "--kimg", "1"), "There is no recipe 'dcgna'."),
        (("--data", "small", "--kimg", "1", "--set", "width"), "set is 'width'."),
        (("dcgan", *ASKED, "--set", "clip=1"), "set clip is 1."),
        (("dcgan", "--data", "small", "--kimg", "1"), "0 training images of 64 px"),
    ],
)
def test_what_cannot_be_is_one_line(stage, cattery, arguments, says):
    outcome = cattery("compare", *arguments, "-o", str(stage.folder))
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert says in outcome.err
    assert stage.store.jobs.list() == []
    assert not stage.folder.exists()


def test_data_and_length_are_needed(cattery):
    assert cattery("compare", "dcgan", "--kimg", "1").code == 2
    assert cattery("compare", "dcgan", "--data", "small").code == 2
