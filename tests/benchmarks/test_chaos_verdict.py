"""Tests of benchmarks.chaos: what is done is repeatable, and what went wrong is seen."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.chaos.plan import Blow, Fault, Target, plan
from benchmarks.chaos.verdict import (
    TRACEBACK,
    compare,
    curve,
    in_order,
    is_lost,
    silence_s,
    twice,
)
from models.store import Store
from models.store.records import Event, JobKind, JobRecord, JobStatus
from tests.worker.redis_proxy import Mode

RECORD = JobRecord(
    id="a", kind=JobKind.TRAIN, order={"model": "m"}, created_at="2026-01-01T00:00:00Z"
)
DONE = replace(RECORD, status=JobStatus.FINISHED, version="0123456789ab")


def event(kind: str, second: int = 0, **data) -> Event:
    return Event(id=second + 1, type=kind, at=f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z",
                 data=data)  # fmt: skip


def step(number: int, loss: float = 1.0) -> Event:
    return event("progress", number, step=number, losses={"generator": loss})


def test_a_seed_repeats_a_run():
    assert list(plan(3, 50)) == list(plan(3, 50)) != list(plan(4, 50))


def test_a_hundred_kills_hit_everybody_and_redis_fails_in_every_way():
    steps = list(plan(1, 100))
    blows = [each for each in steps if isinstance(each, Blow)]
    modes = {each.mode for each in steps if isinstance(each, Fault)}
    assert len(blows) == 100
    assert {blow.target for blow in blows} == set(Target)
    assert modes == {None, *Mode} - {Mode.NORMAL}


@pytest.mark.parametrize(
    ("record", "lost"),
    [
        (None, True),
        (RECORD, True),
        (replace(RECORD, status=JobStatus.FAILED), True),
        (replace(DONE, status=JobStatus.FAILED), False),  # what it had learned is published
        (DONE, False),
    ],
)
def test_a_job_of_which_nothing_came_is_lost(record, lost):
    assert is_lost(record) is lost


def test_two_ends_or_publications_are_seen(tmp_path):
    store = Store.open(str(tmp_path))
    once = [event("started"), event("published", 1), event("finished", 2)]
    assert twice(store, DONE, once) == []
    assert twice(store, DONE, [*once, event("failed", 3)]) == ["2 ends"]
    assert twice(store, DONE, [*once, event("published", 3)]) == ["2 publications"]
    assert twice(store, DONE, [*once, once[-1]]) == ["2 ends", "2 events of one number"]


def test_steps_of_two_processes_at_once_are_seen():
    """A process that resumes begins with an earlier step; one process never goes back."""
    resumed = [event("started"), step(1), step(2), event("started"), step(1), step(2), step(3)]
    assert in_order(resumed)
    assert not in_order([event("started"), step(1), step(5), step(2), step(6)])


def test_silence_is_that_of_a_job_which_a_process_had():
    """Waiting in the queue is none."""
    events = [event("queued"), event("started", 50), event("phase", 57), event("interrupted", 59)]
    assert silence_s([*events, event("started", 100), event("finished", 103)]) == 7.0


def test_silence_while_redis_fails_is_told_apart():
    began = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    events = [event("started"), event("phase", 40)]
    assert silence_s(events, [(began + 10, began + 15), (began + 38, began + 60)]) == 33.0


def test_other_losses_or_weights_are_seen():
    losses = curve([step(1, 0.5), step(2, 0.25)])
    same = [step(1, 0.5), step(1, 0.5), step(2, 0.25)]
    assert compare(DONE, same, DONE.version, losses) == (3, "")
    assert compare(DONE, [step(2, 0.26)], DONE.version, losses) == (1, "the losses of step 2")
    assert compare(DONE, same, "f" * 12, losses)[1].startswith("its weights are")


def test_tracebacks_are_told_by_what_was_raised():
    text = 'x\nTraceback (most recent call last):\n  File "a", line 1\n    f()\na.b.Error: why\ny\n'
    assert TRACEBACK.findall(text) == ["a.b.Error"]
