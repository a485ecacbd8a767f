"""Jobs: written down once, replaced whole, with a history that survives crashes."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import Mock

import pytest

from models.errors import Conflict, Gone, InvalidValue, NotFound, StoreError
from models.store import Store
from models.store.records import ImportOrder, JobKind, JobStatus, Phase, Progress
from tests.records import add_event, put_job

CREATE = """
import sys
from models.store import Store
from models.store.records import Budget, JobKind, TrainingOrder
store = Store(sys.argv[1])
order = TrainingOrder(recipe="dcgan", dataset="cats", model="m", size_px=64, budget=Budget(kimg=1))
print("ready", flush=True)
for key in sys.stdin:
    record, is_new = store.jobs.create(JobKind.TRAIN, order, key=key.strip())
    print(record.id, is_new, flush=True)
"""


def test_a_new_job_is_queued_and_reads_back(store, order):
    record, is_new = store.jobs.create(JobKind.TRAIN, order)
    assert is_new
    assert store.jobs.get(record.id) == record
    assert record.status is JobStatus.QUEUED
    assert store.jobs.order(record) == order
    assert [(e.id, e.type) for e in store.jobs.events(record.id)] == [(1, "queued")]
    assert store.jobs.list() == [record]
    wanted = ImportOrder(name="cats", source="/uploads/1.zip", license="CC0")
    other, _ = store.jobs.create(JobKind.IMPORT, wanted, runner="cli")
    assert store.jobs.order(store.jobs.get(other.id)) == wanted
    assert other.runner == "cli"


def test_saving_replaces_the_record_with_all_its_fields(store, order):
    record, _ = store.jobs.create(JobKind.TRAIN, order)
    busy = replace(record, status=JobStatus.STARTED, phase=Phase.TRAINING, samples=("0", "1.5"))
    busy = replace(busy, progress=Progress(kimg=1.5, losses={"generator": 0.5}))
    busy = put_job(store, busy)
    assert store.jobs.get(record.id) == busy
    assert Store(store.url).jobs.get(record.id) == busy
    path = f"jobs/{record.id}/job.json"
    fields = json.loads(store.tree.read(path))
    store.tree.write(path, json.dumps({**fields, "mood": "playful"}).encode())
    assert store.jobs.get(record.id) == busy, "a key of a later release is ignored"


def test_the_same_key_means_the_same_job(store, order):
    """A repeat gives the job there is; another order under the key is a conflict."""
    first, is_new = store.jobs.create(JobKind.TRAIN, order, key="abc")
    put_job(store, replace(first, status=JobStatus.STARTED))
    again, is_new_again = store.jobs.create(JobKind.TRAIN, order, key="abc")
    assert (is_new, is_new_again) == (True, False)
    assert (again.id, again.status) == (first.id, JobStatus.STARTED)
    assert len(store.jobs.events(first.id)) == 2
    with pytest.raises(Conflict, match="another order"):
        store.jobs.create(JobKind.TRAIN, replace(order, seed=1), key="abc")
    with pytest.raises(InvalidValue, match="Idempotency-Key"):
        store.jobs.create(JobKind.TRAIN, order, key="")
    # Where an upload was put is no part of what the client asked for.
    first, again = (
        store.jobs.create(JobKind.IMPORT, ImportOrder(name="cats", source=source), key="k")
        for source in ("/1", "/2")
    )
    assert (again[0].id, again[1]) == (first[0].id, False)


def test_of_two_processes_with_one_key_one_creates_the_job(local_store):
    command = [sys.executable, "-c", CREATE, local_store.url]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    try:
        assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
        for n in range(25):
            for process in both:
                process.stdin.write(f"key-{n}\n")
                process.stdin.flush()
            answers = [process.stdout.readline().split() for process in both]
            assert answers[0][0] == answers[1][0]
            assert sorted(answer[1] for answer in answers) == ["False", "True"]
    finally:
        for process in both:
            process.communicate(timeout=30)
    jobs = local_store.jobs.list()
    assert len(jobs) == 25
    assert all(len(local_store.jobs.events(job.id)) == 1 for job in jobs)


def test_of_eight_threads_with_one_key_one_creates_the_job(store, order):
    barrier = threading.Barrier(8)

    def create(_):
        barrier.wait()
        return store.jobs.create(JobKind.TRAIN, order, key="abc")[1]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(create, range(8))).count(True) == 1
    assert len(store.jobs.list()) == 1


def test_jobs_are_listed_newest_first(store, order):
    made = [store.jobs.create(JobKind.TRAIN, order, key=key)[0].id for key in ("x", None, "a")]
    assert [job.id for job in store.jobs.list()] == made[::-1]


def test_a_damaged_record_does_not_hide_the_others(store, order, caplog):
    whole, _ = store.jobs.create(JobKind.TRAIN, order)
    broken, _ = store.jobs.create(JobKind.TRAIN, order)
    store.tree.write(f"jobs/{broken.id}/job.json", b'{"id": 1')
    assert store.jobs.list() == [whole]
    assert broken.id in caplog.text
    with pytest.raises(StoreError, match=broken.id):
        store.jobs.get(broken.id)


@pytest.mark.parametrize("job", ["no", "../models", "", "a/b", "x" * 300, "A"])
def test_an_unknown_job_is_named_with_the_known_ones(store, order, job):
    known = store.jobs.create(JobKind.TRAIN, order)[0].id
    asks = (store.jobs.get, store.jobs.events, store.jobs.request_cancel, store.jobs.delete)
    for ask in (*asks, lambda job: store.jobs.sample(job, "0")):
        with pytest.raises(NotFound) as caught:
            ask(job)
        assert (caught.value.kind, caught.value.known) == ("job", (known,))
    assert not store.jobs.cancel_requested(job)


def test_events_are_numbered_and_replayed_after_an_id(store, order):
    job = store.jobs.create(JobKind.TRAIN, order)[0].id
    for n in range(3):
        add_event(store, job, "progress", {"n": n, "text": "é\n"})
    assert [e.id for e in store.jobs.events(job)] == [1, 2, 3, 4]
    (last,) = store.jobs.events(job, after=3)
    assert (last.id, last.data) == (4, {"n": 2, "text": "é\n"})
    assert store.jobs.events(job, after=4) == store.jobs.events(job, after=99) == []


def test_a_torn_event_is_never_returned_and_costs_no_other(store, order):
    job = store.jobs.create(JobKind.TRAIN, order)[0].id
    add_event(store, job, "resumed", {})
    path = f"jobs/{job}/events{'' if store.tree.is_local else '/000000001'}.jsonl"
    store.tree.write(path, store.tree.read(path) + b'{"type": "progr')
    assert [e.id for e in store.jobs.events(job)] == [1, 2]
    add_event(store, job, "progress", {})
    for line in (b"5\n", b"\n", b'{"type": "x", "at": "y"}\n'):
        store.tree.append(path, line)
    foreign = (
        {"id": 1000, "type": "x", "at": "y", "data": {}},
        {"id": True, "type": "x", "at": "y", "data": {}},
        {"id": 3, "type": "x", "at": "y", "data": []},
        {"id": 3, "type": 7, "at": "y", "data": {}},
    )
    for fields in foreign:
        store.tree.append(path, json.dumps(fields).encode() + b"\n")
    add_event(store, job, "resumed", {})
    found = [(e.id, e.type) for e in store.jobs.events(job)]
    assert found == [(1, "queued"), (2, "resumed"), (3, "progress"), (4, "resumed")]


def test_samples_are_kept_by_label(store, order):
    record, _ = store.jobs.create(JobKind.TRAIN, order)
    store.jobs.save_sample(record.id, "12.5", b"png")
    put_job(store, replace(record, samples=("12.5",)))
    assert store.jobs.sample(record.id, "12.5") == b"png"
    for label in ("13", "../job", "..", ""):
        with pytest.raises(NotFound) as caught:
            store.jobs.sample(record.id, label)
        assert (caught.value.kind, caught.value.known) == ("sample", ("12.5",))
    with pytest.raises(InvalidValue):
        store.jobs.save_sample(record.id, "../job", b"png")


def test_canceling_is_asked_once_or_more_until_the_job_ends(store, order):
    record, _ = store.jobs.create(JobKind.TRAIN, order)
    assert not store.jobs.cancel_requested(record.id)
    store.jobs.request_cancel(record.id)
    store.jobs.request_cancel(record.id)
    assert store.jobs.cancel_requested(record.id)
    put_job(store, replace(record, status=JobStatus.CANCELED))
    with pytest.raises(Conflict, match="has already ended: it is canceled"):
        store.jobs.request_cancel(record.id)


def test_only_an_ended_job_can_be_deleted_and_is_gone_then(store, order):
    record, _ = store.jobs.create(JobKind.TRAIN, order, key="abc")
    store.jobs.state(record.id).take()
    with pytest.raises(Conflict, match="queued"):
        store.jobs.delete(record.id)
    put_job(store, replace(record, status=JobStatus.FINISHED))
    store.jobs.delete(record.id)
    assert store.jobs.list() == []
    assert store.tree.names(f"jobs/{record.id}") == ["gone.json"]
    for ask in (store.jobs.get, store.jobs.events, store.jobs.delete):
        with pytest.raises(Gone):
            ask(record.id)
    with pytest.raises(Gone):
        store.jobs.create(JobKind.TRAIN, order, key="abc")


@pytest.mark.parametrize("source", ["resume_from", "init_from"])
def test_a_job_that_another_starts_from_cannot_be_deleted(store, order, source):
    """Its state is needed until the other one has ended."""
    first, _ = store.jobs.create(JobKind.TRAIN, order)
    put_job(store, replace(first, status=JobStatus.CANCELED))
    second, _ = store.jobs.create(JobKind.TRAIN, replace(order, **{source: first.id}))
    with pytest.raises(Conflict, match=second.id):
        store.jobs.delete(first.id)
    put_job(store, replace(second, status=JobStatus.FINISHED))
    store.jobs.delete(first.id)


def test_listing_parses_only_what_changed(local_store, order, monkeypatch):
    made = [local_store.jobs.create(JobKind.TRAIN, order)[0] for _ in range(5)]
    made = [put_job(local_store, job) for job in made]
    local_store.jobs.list()
    put_job(local_store, replace(made[2], attempts=1))
    read = Mock(wraps=local_store.tree.read)
    monkeypatch.setattr(local_store.tree, "read", read)
    assert [job.attempts for job in local_store.jobs.list()] == [0, 0, 1, 0, 0]
    read.assert_called_once_with(f"jobs/{made[2].id}/job.json")
