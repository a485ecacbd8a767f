"""Tests of models.store.journal: how far each phase of a job is."""

from dataclasses import replace

import pytest

from models.store.journal import Journal
from models.store.records import JobKind, JobStatus, Phase, Progress


@pytest.fixture
def clock(monkeypatch):
    """Return a settable clock, in a list."""
    now = [100.0]
    monkeypatch.setattr("models.store.journal.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def writer(local_store, order, clock):
    record, _ = local_store.jobs.create(JobKind.TRAIN, order)
    journal = Journal(record, local_store)
    journal.start()
    journal.phase(Phase.MEASURING)
    return journal


def current(writer, store):
    return store.jobs.get(writer.record.id).phases[-1]


def test_the_time_left_follows_from_the_speed_so_far(writer, local_store, clock):
    writer.work("measuring", 0, 100, "images")
    clock[0] += 10
    writer.work("measuring", 25, 100, "images")
    phase = current(writer, local_store)
    assert (phase.done, phase.total, phase.unit, phase.eta_s) == (25, 100, "images", 30.0)
    event = local_store.jobs.events(writer.record.id)[-1]
    assert (event.type, event.data["phase"], event.data["eta_s"]) == ("work", "measuring", 30.0)


def test_another_task_begins_with_a_speed_of_its_own(writer, local_store, clock):
    """So does the same task again: a second version is measured after the first."""
    for task in ("one", "two", "two"):
        clock[0] += 50
        writer.work(task, 0, 10, "images")
        assert current(writer, local_store).eta_s is None
        clock[0] += 2
        writer.work(task, 5, 10, "images")
        assert current(writer, local_store).eta_s == 2.0


def test_progress_is_written_once_a_second_and_at_the_end(writer, local_store, clock):
    for done in range(11):
        clock[0] += 0.125
        writer.work("measuring", done, 10, "images")
    works = [e for e in local_store.jobs.events(writer.record.id) if e.type == "work"]
    assert [event.data["done"] for event in works] == [0, 8, 10]


def test_phases_end_when_the_next_begins_and_with_the_job(writer, local_store):
    writer.phase(Phase.PUBLISHING)
    writer.end(JobStatus.FINISHED)
    phases = local_store.jobs.get(writer.record.id).phases
    assert [phase.name for phase in phases] == [Phase.MEASURING, Phase.PUBLISHING]
    assert all(phase.ended_at for phase in phases)


def test_a_new_attempt_begins_with_its_first_phase(writer, local_store):
    paused = writer.pause("stopped")
    assert paused.phases[-1].ended_at
    again = Journal(replace(paused), local_store)
    again.start()
    assert local_store.jobs.get(paused.id).phases == ()


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress(kimg=2, kimg_total=8, eta_s=30), (2, 8, "kimg", 30)),
        (Progress(training_s=20, training_s_total=60, eta_s=40), (20, 60, "s", 40)),
        (Progress(done=3, total=9), (3, 9, "images", None)),
    ],
)
def test_what_a_job_is_mainly_for_counts_as_its_phase_s_progress(
    writer, local_store, progress, told
):
    writer.progress(lambda: progress, force=True)
    phase = current(writer, local_store)
    assert (phase.done, phase.total, phase.unit, phase.eta_s) == told
