"""A job's record and history: one truth, whatever fails or dies at whatever moment."""

import json
from contextlib import suppress
from itertools import count

import pytest

from models.errors import Conflict, Gone, LeaseLost, StoreError
from models.store import Store
from models.store.journal import MAX_DEATHS, Journal, cancel_before_start
from models.store.records import PROMOTED, JobKind, JobStatus, Json, Phase, Progress, Promotion
from tests.faults import HOWS, FaultyTree, PowerCut, WatchedTree, store_over
from tests.records import add_event, training_order

VERSION = "0123456789ab"
PROMOTION = Promotion(decision=PROMOTED, reason="...")

STATUS_AFTER = {
    "queued": JobStatus.QUEUED,
    "paused": JobStatus.QUEUED,
    "interrupted": JobStatus.QUEUED,
    "started": JobStatus.STARTED,
    **{status.value: status for status in JobStatus if status.has_ended},
}


def check(store: Store) -> None:
    """Compare the record and the history of every job, as somebody else reads them."""
    for listed in store.jobs.list():
        record, events = store.jobs.get(listed.id), store.jobs.events(listed.id)
        assert listed == record
        assert [event.id for event in events] == list(range(1, record.events + 1))
        statuses = [STATUS_AFTER[e.type] for e in events if e.type in STATUS_AFTER]
        assert statuses[-1] is record.status
        assert not any(status.has_ended for status in statuses[:-1])
        assert record.attempts == sum(event.type == "interrupted" for event in events)
        versions = [e.data["version"] for e in events if e.type == "published"]
        assert versions == ([record.version] if record.version else [])
        assert {e.data["kimg"] for e in events if e.type == "sample"} == set(record.samples)
        assert all(store.jobs.sample(record.id, label) == b"png" for label in record.samples)
        for after in range(record.events + 1):
            assert store.jobs.events(record.id, after) == events[after:]


def live(store: Store, key: str = "a") -> None:
    """Lead a job from its order to its end; what an earlier process did is not done again."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order(), key=key)
    if record.status.has_ended:
        return
    if record.status is JobStatus.STARTED:
        record = Journal(record, store).interrupt("Its process died.")
    journal = Journal(record, store)

    def work():
        journal.phase(Phase.TRAINING)
        state = store.jobs.state(record.id)
        state.write(state.take(), "trainer", b"...")
        journal.progress(lambda: Progress(kimg=1.0), force=True)
        journal.sample("1", b"png")
        journal.event("resumed", {"kimg": 1.0})
        if journal.record.version is None:
            journal.phase(Phase.PUBLISHING)
            journal.published(VERSION, PROMOTION)
        return journal.end(JobStatus.FINISHED)

    journal.run(work)


@pytest.mark.parametrize("how", HOWS)
def test_a_fault_at_any_moment_leaves_a_job_that_can_be_taken_up_again(tmp_path, how):
    """At every operation of a whole life, alone or for good, and again in the life after it."""
    for lasting in (True, False):
        for at in count():
            root = tmp_path / f"{lasting}-{at}"
            tree = FaultyTree(root, at, how, until=1 << 30 if lasting else at + 1)
            with suppress(PowerCut, StoreError, LeaseLost):
                live(store_over(tree))
            if not tree.has_failed:
                break
            clean = Store.open(str(root))
            check(clean)
            again = FaultyTree(root, at % 7, how)
            with suppress(PowerCut, StoreError, LeaseLost):
                live(store_over(again))
            check(clean)
            for _ in range(2):  # one may find the job back in the queue only
                live(clean)
            check(clean)
            [record] = clean.jobs.list()
            assert record.status is JobStatus.FINISHED
        assert at >= 20


def test_a_full_disk_ends_no_job(tmp_path):
    """It waits with the reason, and its history does not say that it failed."""
    tree = FaultyTree(tmp_path, 9, "full", until=10)
    live(store_over(tree))
    clean = Store.open(str(tmp_path))
    [record] = clean.jobs.list()
    assert record.status is JobStatus.QUEUED
    assert "No space left" in str(record.reason)
    assert clean.jobs.events(record.id)[-1].type == "interrupted"


@pytest.mark.parametrize("how", ["before", "after", "full"])
def test_a_deletion_that_fails_at_any_moment_can_be_repeated(tmp_path, how):
    """The job is there whole, or gone; the bulk of it can be deleted on a full disk."""
    for at in count():
        root = tmp_path / str(at)
        store = Store.open(str(root))
        live(store)
        [record] = store.jobs.list()
        tree = FaultyTree(root, at, how)
        with suppress(PowerCut, StoreError):
            store_over(tree).jobs.delete(record.id)
        if how == "full":
            assert store.tree.names(f"jobs/{record.id}/state") == []
        with suppress(Gone):
            assert store.jobs.get(record.id) == record
            assert store.jobs.events(record.id)
        assert store.jobs.list() in ([record], [])
        with suppress(Gone):
            store.jobs.delete(record.id)
        assert store.tree.names(f"jobs/{record.id}") == ["gone.json"]
        if not tree.has_failed:
            break


def start_and_finish(store: Store, job: str) -> str:
    """Do what a job process does, and return how that ended."""
    try:
        journal = Journal(store.jobs.get(job), store)
        journal.run(lambda: journal.end(JobStatus.FINISHED))
    except (LeaseLost, Gone):
        return "deleted"
    except Conflict:
        return "too late"  # what who cancels is told, here from within the tree
    return "finished"


def test_canceling_and_deleting_hold_at_any_moment_of_a_start(tmp_path):
    """Whoever is first wins, and the other one notices: nothing is written over."""
    outcomes = set()
    for at in count():
        other = Store.open(str(tmp_path / str(at)))
        job = other.jobs.create(JobKind.TRAIN, training_order())[0].id

        def cancel_and_delete(jobs=other, job=job):
            jobs.jobs.request_cancel(job)
            if cancel_before_start(jobs.jobs.get(job), jobs):
                jobs.jobs.delete(job)

        tree = WatchedTree(tmp_path / str(at), at, cancel_and_delete)
        outcome = start_and_finish(store_over(tree), job)
        outcomes.add(outcome)
        if outcome == "deleted":
            assert other.jobs.list() == []
            with pytest.raises(Gone):
                other.jobs.get(job)
            assert other.tree.names(f"jobs/{job}") == ["gone.json"]
        else:
            assert other.jobs.get(job).status is not JobStatus.CANCELED
            check(other)
        if tree.count <= at:
            break
    assert {"deleted", "finished"} <= outcomes


def test_of_two_who_change_a_job_one_is_refused(store):
    """Whoever has read a job before another one changed it changes nothing."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    first, second = Journal(record, store), Journal(record, store)
    first.phase(Phase.TRAINING)
    with pytest.raises(LeaseLost):
        second.end(JobStatus.CANCELED)
    first.end(JobStatus.FINISHED)
    for late in (first, second):
        with pytest.raises(LeaseLost):
            late.phase(Phase.TRAINING)
    assert store.jobs.get(record.id).status is JobStatus.FINISHED
    check(store)


def test_a_job_of_an_older_release_keeps_its_history(store):
    """There the record had no event, and an event's id was the number of its line."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    fields = json.loads(store.tree.read(f"jobs/{record.id}/order.json"))
    for name in ("event", "events", "gives_up"):
        fields.pop(name)
    for name in ("order.json", "job.json"):
        store.tree.write(f"jobs/{record.id}/{name}", json.dumps(fields).encode())
    for kind in ("queued", "started"):
        line: Json = {"type": kind, "at": "2026-01-01T00:00:00Z", "data": {}}
        store.tree.append(f"jobs/{record.id}/events.jsonl", json.dumps(line).encode() + b"\n")
    store.tree.append(f"jobs/{record.id}/events.jsonl", b'{"type": "to')
    old = store.jobs.get(record.id)
    assert [(e.id, e.type) for e in store.jobs.events(old.id)] == [(1, "queued"), (2, "started")]
    Journal(old, store).end(JobStatus.FINISHED)
    assert [e.id for e in store.jobs.events(old.id)] == [1, 2, 3]
    assert store.jobs.get(old.id).status is JobStatus.FINISHED


def test_a_torn_line_of_the_log_costs_no_event(store):
    job = store.jobs.create(JobKind.TRAIN, training_order())[0].id
    add_event(store, job, "resumed", {})
    path = f"jobs/{job}/events{'' if store.tree.is_local else '/000000001'}.jsonl"
    store.tree.write(path, store.tree.read(path) + b'{"type": "progr')
    for line in (b"5\n", b"\n", b'{"id": 9, "type": "x", "at": "y"}\n'):
        store.tree.append(path, line)
    add_event(store, job, "resumed", {"again": True})
    assert [(e.id, e.type) for e in store.jobs.events(job)] == [
        (1, "queued"),
        (2, "resumed"),
        (3, "resumed"),
    ]


@pytest.mark.parametrize("phase", [Phase.TRAINING, Phase.MEASURING, Phase.PUBLISHING])
def test_a_job_that_gets_nowhere_gives_up_and_one_that_gets_on_does_not(store, phase):
    """Reaching the next phase is progress, as training on is."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    state = store.jobs.state(record.id)
    state.write(state.take(), "trainer", b"...")

    def die(record, phase):
        journal = Journal(record, store)
        journal.start()
        journal.phase(phase)
        return journal.interrupt("Its process died.")

    for _ in range(MAX_DEATHS - 1):
        record = die(record, Phase.PREPARING)
        assert not record.gives_up
    for deaths in range(1, MAX_DEATHS + 1):
        record = die(record, phase)
        assert record.status is JobStatus.QUEUED
        assert record.gives_up == (deaths == MAX_DEATHS)
    assert "5 times" in str(record.reason)
    for _ in range(MAX_DEATHS - 1):
        assert die(record, phase).status is JobStatus.QUEUED
        record = store.jobs.get(record.id)
    assert die(record, phase).status is JobStatus.FAILED
    check(store)
