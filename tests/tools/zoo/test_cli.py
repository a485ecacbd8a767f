"""`python -m tools.zoo train`: what it takes and prints; nothing is trained."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.cli.locks import StartError
from models.store import Store
from models.store.records import DatasetRecord, JobKind, JobRecord, JobStatus
from tests.app.cli.conftest import Command
from tests.models.comparison.comparisons import SHEET, Stage
from tools.zoo.children import Training, claimed_for_zoo, starter
from tools.zoo.cli import default_edition
from tools.zoo.planning import Room, train_arguments, wanted
from tools.zoo.session import Ending
from tools.zoo.table import EDITIONS, Entry
from tools.zoo.train import room_here

TOY = ("train", "--edition", "toy")


@pytest.fixture
def cat(store: Store, tmp_path: Path) -> Store:
    """Return the store with a dataset `cat` of no pictures to train on."""
    record = DatasetRecord(
        name="cat",
        fingerprint="0" * 64,
        kept=60,
        heldout=0,
        counts={"32": 60},
        heldout_counts={},
    )
    preview, pack = tmp_path / "preview.png", tmp_path / "32.npy"
    preview.write_bytes(SHEET)
    np.save(pack, np.zeros((60, 32, 32, 3), np.uint8))
    store.datasets.add(record, {"preview.png": preview, "packs/32.npy": pack})
    return store


@pytest.fixture
def ended(cat: Store, tmp_path: Path) -> Stage:
    """Return a stage that ends jobs, with all entries of the toy edition trained on it."""
    stage = Stage(cat, tmp_path)
    for entry in EDITIONS["toy"]:
        stage.run(_ordered(cat, entry.model))
    return stage


def _ordered(store: Store, model: str) -> JobRecord:
    [entry] = [each for each in EDITIONS["toy"] if each.model == model]
    return store.jobs.create(JobKind.TRAIN, wanted(entry), runner="cli")[0]


def test_nothing_is_done_twice(ended: Stage, zoo: Command) -> None:
    """The table is printed, and no job is made."""
    outcome = zoo(*TOY)
    assert outcome.code == 0, outcome.err
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0] == ["model", "version", "kimg", "seconds", "KID", "(95", "%)"]
    version = ended.store.versions.list("dcgan-32")[0].version
    assert lines[1] == ["dcgan-32", version, "0.2", "4.0", "0.0625", "(0.06", "to", "0.065)"]
    assert [line[0] for line in lines[1:]] == ["dcgan-32", "ralsgan-32", "projected-32"]
    assert outcome.err == "The zoo is trained: 3 generators.\n"
    assert len(ended.store.jobs.list()) == 3


def test_names_choose_entries(ended: Stage, zoo: Command) -> None:
    """One of them is one row."""
    outcome = zoo(*TOY, "ralsgan-32")
    assert len(outcome.out.splitlines()) == 2
    assert outcome.err == "The zoo is trained: 1 generators.\n"


def test_what_failed_is_told_and_left(cat: Store, zoo: Command, tmp_path: Path) -> None:
    """With its reason in a line and in the table, the remedy and exit 1."""
    stage = Stage(cat, tmp_path, ends={"dcgan": (JobStatus.COLLAPSED, "All alike.")})
    stage.run(_ordered(cat, "dcgan-32"))
    outcome = zoo(*TOY, "dcgan-32")
    assert outcome.code == 1
    told, error = outcome.err.splitlines()
    assert told == "dcgan-32: Collapsed: All alike. It is tried again with --again only."
    assert error.startswith("Error: Without a version: dcgan-32. The logs are in ")
    assert error.endswith("--again tries what has failed once more.")
    assert "Collapsed: All alike." in outcome.out


def test_time_that_is_up_starts_nothing(cat: Store, zoo: Command) -> None:
    """The way to go on is told, and that is no failure."""
    outcome = zoo(*TOY, "--stop-after", "0")
    assert outcome.code == 0
    assert outcome.err == "Saved. Go on with the same command.\n"
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
def test_what_cannot_be_is_one_line(
    store: Store, zoo: Command, arguments: tuple[str, ...], says: str
) -> None:
    """And no job is made."""
    outcome = zoo(*TOY, *arguments)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"Error: {says}")
    assert outcome.out == ""
    assert store.jobs.list() == []


def test_every_order_is_checked_before_anything_trains(
    store: Store, zoo: Command, tmp_path: Path
) -> None:
    """Six pictures are no batch of eight, which the entry's name is told with."""
    record = DatasetRecord(
        name="cat", fingerprint="", kept=6, heldout=0, counts={"32": 6}, heldout_counts={}
    )
    preview = tmp_path / "preview.png"
    preview.write_bytes(SHEET)
    store.datasets.add(record, {"preview.png": preview})
    outcome = zoo(*TOY)
    assert outcome.code == 1
    assert "dataset of dcgan-32 is 'cat (6 training pictures of 32 px)'" in outcome.err
    assert store.jobs.list() == []


def test_two_at_once_on_one_store_are_refused(zoo: Command, data: Path) -> None:
    """Whoever holds it is named."""
    with claimed_for_zoo(data):
        outcome = zoo(*TOY)
    assert outcome.code == 1
    assert f"The zoo is being trained already in {data} (pid {os.getpid()}," in outcome.err


def test_a_claim_lasts_until_the_last_child_has_ended(tmp_path: Path) -> None:
    """A killed `zoo train` leaves children that still save."""
    with claimed_for_zoo(tmp_path) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
    with pytest.raises(StartError, match="or what it started"), claimed_for_zoo(tmp_path):
        pass
    child.communicate(b"\n")
    with claimed_for_zoo(tmp_path):
        pass


def test_a_child_writes_its_command_and_what_it_prints_into_its_log(tmp_path: Path) -> None:
    """It is this package's own command line, wherever it was started from."""
    with claimed_for_zoo(tmp_path) as lock:
        child = Training(["--version"], tmp_path / "logs" / "tabby.log", {}, lock)
        assert child.wait(60.0)
        child.kill()
    assert child.status() == 0
    command, printed = child.log.read_text(encoding="utf-8").splitlines()
    assert command == "$ cattery --version"
    assert printed.startswith("cattery ")


def test_a_child_can_be_asked_to_end_and_be_killed(tmp_path: Path) -> None:
    """By the signals of Ctrl-C and of no mercy; until then it has no status."""
    with claimed_for_zoo(tmp_path) as lock:
        asked, killed = (Training(["doctor"], tmp_path / "log", {}, lock) for _ in range(2))
        assert asked.status() is None
        assert not asked.wait(0.0)
        asked.ask_to_end()
        killed.kill()
        assert asked.wait(60.0)
    assert asked.status() not in (None, 0)
    assert killed.status() == -signal.SIGKILL


def test_a_start_is_the_documented_command_or_a_resumption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the entry's log in the given folder."""
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr("tools.zoo.children.Training", lambda *parts: made.append(parts))
    entry = EDITIONS["toy"][0]
    start = starter(tmp_path, {"CATTERY_THREADS": "1"}, 7)
    start(entry, None)
    start(entry, "one")
    log = tmp_path / "dcgan-32.log"
    assert made == [
        (train_arguments(entry), log, {"CATTERY_THREADS": "1"}, 7),
        (["train", "--resume", "one"], log, {"CATTERY_THREADS": "1"}, 7),
    ]


def test_a_cpu_has_a_place_a_core_with_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the settings say of threads, for their number shapes the weights."""
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    monkeypatch.setenv("CATTERY_THREADS", "8")
    monkeypatch.setattr("tools.zoo.train._cores", lambda: 5)
    one_thread = {"CATTERY_THREADS": "1", "OMP_NUM_THREADS": "1"}
    entries = [Entry(recipe="dcgan", kimg=1)] * 4
    assert room_here(None, entries) == (Room(places=5), one_thread)
    assert room_here(2, entries) == (Room(places=2), one_thread)


def test_a_gpu_has_the_room_of_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores are shared out among those that fit, unless a setting says otherwise."""
    monkeypatch.setenv("CATTERY_DEVICE", "cuda")
    monkeypatch.delenv("CATTERY_THREADS", raising=False)
    monkeypatch.setattr("tools.zoo.train._cores", lambda: 16)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (78 * 10**9, 84 * 10**9))
    entries = [Entry(recipe="dcgan", kimg=1, memory_gb=20)] * 5
    assert room_here(None, entries[:2]) == (Room(memory_gb=78.0), threads(8))
    assert room_here(None, entries) == (Room(memory_gb=78.0), threads(5))
    assert room_here(1, entries) == (Room(places=1), threads(16))
    monkeypatch.setenv("CATTERY_THREADS", "2")
    assert room_here(3, entries) == (Room(places=3), threads(2))


def threads(count: int) -> dict[str, str]:
    """Return what tells a process how many threads it has."""
    return {"CATTERY_THREADS": str(count), "OMP_NUM_THREADS": str(count)}


def test_what_was_not_saved_is_a_failure(
    cat: Store, zoo: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how to go on."""
    monkeypatch.setattr("tools.zoo.train.Session.carry_out", lambda *_: Ending.LOST)
    outcome = zoo(*TOY)
    assert outcome.code == 1
    assert "What was not saved in time goes on from where it was last saved." in outcome.err


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """With the setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="CATTERY_DATA"), claimed_for_zoo(tmp_path / "file"):
        pass


def test_the_edition_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings name it."""
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    assert default_edition() == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("CATTERY_DEVICE", "auto")
    assert default_edition() == "gpu"
