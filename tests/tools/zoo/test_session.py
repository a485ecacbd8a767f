"""Concurrent training of the zoo: what starts when, and what is logged; no process runs."""

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from models.store import Store
from models.store.records import JobKind, JobStatus
from tests.models.comparison.comparisons import Stage
from tests.records import put_job
from tools.zoo.planning import Capacity, order_for, survey
from tools.zoo.session import Outcome, Process, Session
from tools.zoo.table import Entry

POLLS = 3


def entry(recipe: str) -> Entry:
    return Entry(recipe=recipe, kimg=0.5, size_px=32, overrides={"width": 4, "batch": 8})


DCGAN, LSGAN, WGAN = entry("dcgan"), entry("lsgan"), entry("wgan")


@dataclass
class FakeProcess:
    """Exits at a later poll, when its job ends as the stage says."""

    exit: Callable[[], int]
    saves: bool
    polls_left: int = POLLS
    status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status after a few polls."""
        self.polls_left -= 1
        if self.polls_left < 0 and self.status is None:
            self.status = self.exit()
        return self.status

    def terminate(self) -> None:
        """Exit, unless it hangs."""
        self.status = 0 if self.saves else None

    def wait(self, timeout: float | None = None) -> int:
        """Do not wait."""
        if self.status is None:
            raise subprocess.TimeoutExpired("train", timeout or 0.0)
        return self.status

    def kill(self) -> None:
        """Exit."""
        if self.status is None:
            self.status = -signal.SIGKILL


@dataclass
class Fleet:
    """All processes of a session; `kills` says whose process is killed the first time."""

    store: Store
    folder: Path
    stage: Stage
    kills: set[str] = field(default_factory=set)
    processes: list[FakeProcess] = field(default_factory=list)
    started: list[tuple[str, bool, int]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    saves: bool = True

    def start(self, entry: Entry, job: str | None) -> Process:
        """Start an entry; note whether it was resumed, and how many ran beside it."""
        beside = sum(each.status is None for each in self.processes)
        self.started.append((entry.recipe, job is not None, beside))
        jobs, order = self.store.jobs, order_for(entry)
        record = jobs.get(job) if job else jobs.create(JobKind.TRAIN, order, runner="cli")[0]

        def exit_() -> int:
            if entry.recipe in self.kills:
                self.kills.remove(entry.recipe)
                return -signal.SIGKILL
            self.stage.run(record)
            return int(entry.recipe in self.stage.ends)

        self.processes.append(FakeProcess(exit_, self.saves))
        return self.processes[-1]

    def train(
        self,
        *entries: Entry,
        capacity: Capacity | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Run a session."""
        session = Session(
            self.store, capacity or Capacity(), self.start, self.log.append, self.folder, save_s=0.0
        )
        return session.run(survey(entries, self.store), should_stop)


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """Return the processes of a session that polls without a pause and reports at every poll."""
    monkeypatch.setattr("tools.zoo.session.POLL_EVERY_S", 0.0)
    monkeypatch.setattr("tools.zoo.session.REPORT_EVERY_S", 0.0)
    store = Store.open(str(tmp_path / "store"))
    return Fleet(store, tmp_path, Stage(store, tmp_path))


def test_all_entries_are_trained_and_logged(fleet):
    assert fleet.train(DCGAN, LSGAN, WGAN, capacity=Capacity(jobs=2)) is Outcome.COMPLETE
    assert fleet.started == [("dcgan", False, 0), ("lsgan", False, 1), ("wgan", False, 0)]
    for model in ("dcgan-32", "lsgan-32", "wgan-32"):
        version = fleet.store.versions.list(model)[0].version
        lines = [line for line in fleet.log if line.startswith(model)]
        assert lines[0] == f"{model}: started; log: {fleet.folder}/{model}.log"
        assert f"{model}: queued, 0 of 0.5 kimg" in lines
        assert lines[-1] == f"{model}: finished, version {version}, KID 0.0625 (0.06 to 0.065)"


def test_a_failure_stops_nothing_else(fleet):
    fleet.stage.ends["dcgan"] = (JobStatus.COLLAPSED, "Training collapsed at step 50.")
    assert fleet.train(DCGAN, LSGAN) is Outcome.COMPLETE
    assert [recipe for recipe, *_ in fleet.started] == ["dcgan", "lsgan"]
    log = fleet.folder / "dcgan-32.log"
    assert f"dcgan-32: Collapsed: Training collapsed at step 50. Log: {log}" in fleet.log
    assert fleet.store.versions.list("lsgan-32")
    fleet.stage.ends.clear()  # the next session starts it over with a new job
    assert fleet.train(DCGAN) is Outcome.COMPLETE
    assert fleet.started[2:] == [("dcgan", False, 0)]
    assert fleet.store.versions.list("dcgan-32")


def test_a_killed_process_is_resumed_by_the_next_session(fleet):
    fleet.kills.add("dcgan")
    assert fleet.train(DCGAN) is Outcome.COMPLETE
    log = fleet.folder / "dcgan-32.log"
    assert fleet.log[-1] == f"dcgan-32: the process was killed by SIGKILL. Log: {log}"
    assert fleet.train(DCGAN) is Outcome.COMPLETE
    assert fleet.started == [("dcgan", False, 0), ("dcgan", True, 0)]
    assert any("resuming job 2" in line for line in fleet.log)


@pytest.mark.parametrize("saves", [True, False])
def test_a_stop_saves_all_entries(fleet, saves):
    """Whichever does not save in time is killed, which the outcome tells."""
    fleet.saves = saves
    polls = iter([False, False])
    outcome = fleet.train(DCGAN, LSGAN, should_stop=lambda: next(polls, True))
    statuses = {process.status for process in fleet.processes}
    assert "Saving dcgan-32, lsgan-32 ..." in fleet.log
    if saves:
        assert (outcome, statuses) == (Outcome.SAVED, {0})
    else:
        assert (outcome, statuses) == (Outcome.LOST, {-signal.SIGKILL})
        assert fleet.log[-1] == "lsgan-32: not saved within 0 s; killed."


def test_an_error_leaves_no_process_behind(fleet):
    """Such as a second Ctrl-C."""
    polls = iter([False])

    def should_stop():
        for answer in polls:
            return answer
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet.train(DCGAN, should_stop=should_stop)
    assert fleet.processes[0].status == -signal.SIGKILL


def test_a_job_that_its_process_left_open_is_interrupted(fleet):
    """Its record still says `started`: nobody was left to change it."""
    record, _ = fleet.store.jobs.create(JobKind.TRAIN, order_for(DCGAN), runner="cli")
    put_job(fleet.store, replace(record, status=JobStatus.STARTED))
    assert fleet.train(DCGAN) is Outcome.COMPLETE
    assert fleet.started == [("dcgan", True, 0)]
