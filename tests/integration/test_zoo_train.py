"""The zoo trained by its one command, in real processes, on the small pictures."""

import shutil

import pytest

from models.store import Store
from models.store.records import JobStatus
from tests.app.cli.conftest import data
from tests.tools.zoo.conftest import zoo
from tools.zoo.planning import State, survey
from tools.zoo.table import Entry, edition
from tools.zoo.train import train_zoo

__all__ = ["data", "zoo"]  # fixtures

PICTURES = 24
PATIENT = Entry(recipe="dcgan", kimg=3, size_px=32, overrides={"width": 4, "batch": 8})
"""It trains for seconds, so that it can be interrupted in the midst of it."""


@pytest.fixture
def album(pictures, tmp_path):
    """Return a folder of pictures as the zoo wants it, half of them in each part."""
    folder = tmp_path / "album"
    for number, file in enumerate(sorted((pictures / "cats").glob("*.jpg"))[: 2 * PICTURES]):
        place = folder / ("afhq" if number % 2 else "cat") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return folder


@pytest.fixture
def train(album, tmp_path, monkeypatch):
    """Return a function that trains an entry in a data folder until it has ended or shall stop."""
    monkeypatch.setattr("tools.zoo.session.POLL_EVERY_S", 0.05)
    monkeypatch.setenv("CATTERY_FAKES", "16")
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    monkeypatch.delenv("CATTERY_STORE", raising=False)

    def run(name, should_stop):
        folder = tmp_path / name
        monkeypatch.setenv("CATTERY_DATA", str(folder))
        store = Store.open(str(folder / "store"))
        how: dict = {"at_once": None, "again": False, "should_stop": lambda: should_stop(store)}
        train_zoo([PATIENT], store, data=folder, pictures=album, **how)
        return store

    return run


@pytest.mark.slow
def test_one_command_trains_all_and_again_nothing_more(zoo, data, album, monkeypatch):
    """A version each with its figures; then there is nothing to do."""
    monkeypatch.setenv("CATTERY_FAKES", "16")
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    command = ("train", "--edition", "toy", "--pictures", str(album))

    outcome = zoo(*command)
    assert outcome.code == 0, outcome.err
    store = Store.open(str(data / "store"))
    entries = edition("toy")
    assert [each.state for each in survey(entries, store)] == [State.DONE] * len(entries)
    for entry in entries:
        [card] = store.versions.list(entry.model)
        assert {row["name"] for row in card.metrics} >= {"kid", "frechet_distance"}
        assert card.dataset["license"] == "no formal license; cite Zhang, Sun and Tang 2008"
        assert store.aliases.get(entry.model).serving is None
        assert f"{entry.model}: finished, version {card.version}, KID " in outcome.err
        log = (data / "zoo" / f"{entry.model}.log").read_text(encoding="utf-8")
        assert log.startswith(f"$ cattery train {entry.recipe} --dataset cat --kimg ")
    assert outcome.err.endswith(f"Trained: {len(entries)} of {len(entries)} models.\n")

    again = zoo(*command)
    assert (again.code, again.out) == (0, outcome.out)
    assert len(store.jobs.list()) == len(entries)


@pytest.mark.slow
def test_an_interrupted_training_makes_the_weights_of_an_uninterrupted_one(train):
    """Trained twice from one seed, once in two goes, it is one version: its id is their sum."""
    whole = train("whole", lambda _: False)

    store = train("halves", lambda store: any(job.progress.step for job in store.jobs.list()))
    [job] = store.jobs.list()
    assert job.status is JobStatus.QUEUED
    assert 0 < job.progress.kimg < PATIENT.kimg
    assert store.versions.list(PATIENT.model) == []

    train("halves", lambda _: False)
    [resumed] = store.jobs.list()
    assert (resumed.id, resumed.status) == (job.id, JobStatus.FINISHED)
    events = [event for event in store.jobs.events(job.id) if event.type == "resumed"]
    assert len(events) == 1
    assert events[0].data["kimg"] > 0
    [expected] = whole.versions.list(PATIENT.model)
    assert resumed.version == expected.version
