"""The zoo's training side by side: what starts when, and what becomes of each; no process runs."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from models.store import Store
from models.store.records import JobKind, JobStatus
from tests.models.comparison.comparisons import Stage
from tools.zoo.children import Child
from tools.zoo.planning import Room, wanted
from tools.zoo.session import Ending, Session
from tools.zoo.table import Entry

SHORT = "The memory of cuda does not hold a batch of 64; 32 fits."
LOOKS = 3


def entry(recipe: str, memory_gb: float = 6.0) -> Entry:
    """Return an entry of a recipe."""
    return Entry(
        recipe=recipe, kimg=0.5, size_px=32, overrides={"width": 4, "batch": 8}, memory_gb=memory_gb
    )


DCGAN, LSGAN, WGAN = entry("dcgan"), entry("lsgan", 5.0), entry("wgan", 4.0)


@dataclass
class Pup:
    """A child without a process: its job ends as the stage says when it is looked at."""

    log: Path
    end: Callable[[], int]
    looks_left: int = LOOKS
    obeys: bool = True
    ended: int | None = None

    def status(self) -> int | None:
        """Return nothing for a few looks."""
        self.looks_left -= 1
        if self.looks_left < 0 and self.ended is None:
            self.ended = self.end()
        return self.ended

    def ask_to_end(self) -> None:
        """End in an orderly way, if it obeys."""
        self.ended = 0 if self.obeys else None

    def wait(self, timeout_s: float) -> bool:
        """Do not wait."""
        return self.ended is not None

    def kill(self) -> None:
        """End."""
        if self.ended is None:
            self.ended = -signal.SIGKILL


@dataclass
class Litter:
    """All children of a session; `kills` says whose process is killed the first time."""

    store: Store
    folder: Path
    stage: Stage
    kills: set[str] = field(default_factory=set)
    born: list[Pup] = field(default_factory=list)
    started: list[tuple[str, bool, int]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    obeys: bool = True

    def start(self, entry: Entry, job: str | None) -> Child:
        """Start an entry; note whether it was resumed, and how many ran beside it."""
        beside = sum(pup.ended is None for pup in self.born)
        self.started.append((entry.recipe, job is not None, beside))
        order = wanted(entry)
        made = self.store.jobs.get(job) if job else None
        record = made or self.store.jobs.create(JobKind.TRAIN, order, runner="cli")[0]

        def end() -> int:
            if entry.recipe in self.kills:
                self.kills.remove(entry.recipe)
                return -signal.SIGKILL
            self.stage.run(record)
            return int(entry.recipe in self.stage.ends)

        self.born.append(Pup(self.folder / f"{entry.model}.log", end, obeys=self.obeys))
        return self.born[-1]

    def train(
        self,
        *entries: Entry,
        room: Room | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Ending:
        """Carry a session out."""
        session = Session(self.store, room or Room(), self.start, self.told.append, save_s=0.0)
        return session.carry_out(entries, should_stop)


@pytest.fixture
def litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Litter:
    """Return the children of a session that looks without a pause and tells at every look."""
    monkeypatch.setattr("tools.zoo.session.LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("tools.zoo.session.TELL_EVERY_S", 0.0)
    store = Store.open(str(tmp_path / "store"))
    return Litter(store, tmp_path, Stage(store, tmp_path))


def test_all_are_trained_and_each_is_told(litter: Litter) -> None:
    """As many at once as there are places; started, on the way and finished with its figures."""
    assert litter.train(DCGAN, LSGAN, WGAN, room=Room(places=2)) is Ending.OVER
    assert litter.started == [("dcgan", False, 0), ("lsgan", False, 1), ("wgan", False, 0)]
    versions = [litter.store.versions.list(each.model)[0].version for each in (DCGAN, LSGAN, WGAN)]
    for model, version in zip(("dcgan-32", "lsgan-32", "wgan-32"), versions, strict=True):
        told = [line for line in litter.told if line.startswith(model)]
        assert told[0] == f"{model}: started; its log: {litter.folder}/{model}.log"
        assert f"{model}: queued, 0 of 0.5 kimg" in told
        assert told[-1] == f"{model}: finished, version {version}, KID 0.0625 (0.06 to 0.065)"


def test_a_failure_stops_nobody_else(litter: Litter) -> None:
    """It is told with its reason and its log, and not tried again."""
    litter.stage.ends["dcgan"] = (JobStatus.COLLAPSED, "Training collapsed at step 50.")
    assert litter.train(DCGAN, LSGAN) is Ending.OVER
    assert [recipe for recipe, *_ in litter.started] == ["dcgan", "lsgan"]
    log = litter.folder / "dcgan-32.log"
    assert (f"dcgan-32: Collapsed: Training collapsed at step 50. Its log: {log}") in litter.told
    assert litter.store.versions.list("lsgan-32")


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_lacked_memory_beside_others_is_tried_once_more_alone(
    litter: Litter, is_killed: bool
) -> None:
    """A job that failed starts anew, one whose process was killed goes on."""
    if is_killed:
        litter.kills.add("dcgan")
    else:
        litter.stage.ends["dcgan"] = (JobStatus.FAILED, SHORT)
    assert litter.train(DCGAN, LSGAN, WGAN) is Ending.OVER
    assert litter.started[-1] == ("dcgan", is_killed, 0)
    assert len(litter.started) == 4
    [told] = [line for line in litter.told if line.endswith("Once more, alone, later.")]
    assert (SHORT if not is_killed else "Its process was ended by SIGKILL.") in told
    assert len(litter.store.jobs.list()) == (3 if is_killed else 4)
    assert bool(litter.store.versions.list("dcgan-32")) is is_killed


def test_what_lacked_memory_alone_has_failed(litter: Litter) -> None:
    """There is no more room to be had."""
    litter.stage.ends["dcgan"] = (JobStatus.FAILED, SHORT)
    assert litter.train(DCGAN, LSGAN, room=Room(places=1)) is Ending.OVER
    assert [recipe for recipe, *_ in litter.started] == ["dcgan", "lsgan"]


def test_a_process_that_ends_without_a_word_is_told(litter: Litter) -> None:
    """With how it ended; its job goes on with the next call, not with this one."""
    litter.kills.add("dcgan")
    assert litter.train(DCGAN) is Ending.OVER
    assert litter.told[-1] == (
        f"dcgan-32: Its process was ended by SIGKILL. Its log: {litter.folder}/dcgan-32.log"
    )
    assert litter.train(DCGAN) is Ending.OVER
    assert litter.started == [("dcgan", False, 0), ("dcgan", True, 0)]
    assert any("goes on at 0 kimg (job 2" in line for line in litter.told)


def test_what_failed_before_is_made_anew(litter: Litter) -> None:
    """Who hands it over wants it again."""
    litter.stage.ends["dcgan"] = (JobStatus.FAILED, "No space.")
    litter.train(DCGAN)
    litter.stage.ends.clear()
    assert litter.train(DCGAN) is Ending.OVER
    assert litter.started == [("dcgan", False, 0), ("dcgan", False, 0)]
    assert litter.store.versions.list("dcgan-32")


def test_a_job_of_another_process_is_waited_for(litter: Litter) -> None:
    """It is told once, and what came of it too; nothing is started."""
    record, _ = litter.store.jobs.create(JobKind.TRAIN, wanted(DCGAN), runner="cli")
    litter.store.jobs.save(replace(record, status=JobStatus.STARTED))
    looks = iter([1, 2])

    def should_stop() -> bool:
        if next(looks, 0) == 2:
            litter.stage.run(record)
        return False

    assert litter.train(DCGAN, should_stop=should_stop) is Ending.OVER
    assert litter.started == []
    assert litter.told[0] == "dcgan-32: Some other process trains it."
    assert litter.told[1].startswith("dcgan-32: finished, version ")
    assert len(litter.told) == 2


def test_a_stop_has_all_save(litter: Litter) -> None:
    """Then nobody runs any more."""
    looks = iter([False, False])
    ending = litter.train(DCGAN, LSGAN, should_stop=lambda: next(looks, True))
    assert ending is Ending.SAVED
    assert litter.told[-1] == "Saving dcgan-32, lsgan-32 ..."
    assert [pup.ended for pup in litter.born] == [0, 0]


def test_who_does_not_save_in_time_is_ended(litter: Litter) -> None:
    """And the session says that something was lost."""
    litter.obeys = False
    looks = iter([False])
    assert litter.train(DCGAN, should_stop=lambda: next(looks, True)) is Ending.LOST
    assert litter.told[-1] == "dcgan-32: did not save in 0 s; it was ended."
    assert litter.born[0].ended == -signal.SIGKILL


def test_an_error_leaves_no_child_behind(litter: Litter) -> None:
    """Whatever is raised, a second Ctrl-C too."""
    looks = iter([False])

    def should_stop() -> bool:
        for answer in looks:
            return answer
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        litter.train(DCGAN, should_stop=should_stop)
    assert litter.born[0].ended == -signal.SIGKILL
