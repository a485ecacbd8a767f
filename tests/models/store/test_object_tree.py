"""An object store over HTTP: what was acknowledged is never lost, whoever else writes."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, pairwise
from uuid import uuid4

import pytest
import s3fs

from models.errors import Gone, LeaseLost, StoreError
from models.store import Store, object_lock, object_tree
from models.store.events import SEGMENT_BYTES
from models.store.journal import Journal
from models.store.records import JobKind, JobStatus
from tests.models.store.s3_server import BUCKET, S3Server
from tests.records import add_event

# `CATTERY_TEST_MOVES=10000 pytest -k two_processes` makes the full ten thousand.
MOVES = int(os.environ.get("CATTERY_TEST_MOVES", "120"))  # noqa: TID251 - no setting of Cattery

ROLL_BACK = """
import sys
from models.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    store.aliases.rollback("tabby")
"""


@pytest.fixture(scope="module")
def server():
    """Return a server with an empty bucket, which the environment names."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "any")
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield server
        s3fs.S3FileSystem.clear_instance_cache()
    server.close()


@pytest.fixture
def store(server):
    """Return a store in a folder of its own of the bucket."""
    return Store.open(f"s3://{BUCKET}/{uuid4().hex}")


@pytest.fixture
def versions(store, card):
    """Publish two versions of `tabby`, put both into service in turn, and return their ids."""
    ids = [store.versions.publish("tabby", b"%d" % n, card(), b"p").version for n in range(2)]
    for version in ids:
        store.aliases.promote("tabby", version)
    return ids


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_moves_of_two_processes_are_all_kept(store, versions):
    command = [sys.executable, "-c", ROLL_BACK, store.url, str(MOVES // 2)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    try:
        assert [writer.stdout.readline() for writer in both] == ["ready\n"] * 2
        for writer in both:
            writer.stdin.write("go\n")
            writer.stdin.flush()
    finally:
        for writer in both:
            writer.communicate(timeout=3600)
    assert [writer.returncode for writer in both] == [0, 0]
    now = store.aliases.get("tabby")
    assert now.moves == 2 + MOVES
    # An even number of swaps leaves everything where it was.
    assert (now.previous, now.serving) == tuple(versions)
    shown = [move.version for move in now.history]
    assert all(a != b for a, b in pairwise(shown)), "each swaps"


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_server_that_ignores_a_condition_is_refused_at_the_start(server, header, monkeypatch):
    monkeypatch.setattr(server, "ignored", (header,))
    with pytest.raises(StoreError, match=f"It ignores {header}.*Use a store with") as caught:
        Store.open(f"s3://{BUCKET}/{uuid4().hex}")
    assert "\n" not in str(caught.value)


def test_conflicts_are_retried_and_not_for_ever(server, store, versions, monkeypatch):
    server.refusals = 3
    assert store.aliases.rollback("tabby").serving == versions[0]
    assert server.refusals == 0
    server.refusals = 2
    assert store.tree.create("a", b"x")
    monkeypatch.setattr(object_tree, "PATIENCE_S", 0.1)
    monkeypatch.setattr(server, "refusals", 10_000)
    with pytest.raises(StoreError, match=r"models/tabby/aliases\.json: others kept changing it"):
        store.aliases.rollback("tabby")


def test_a_write_whose_answer_was_lost_is_not_done_twice(server, store, versions):
    """The client repeats it and is told that the object has changed: by itself."""
    server.lost_answers = 1
    assert store.aliases.rollback("tabby").serving == versions[0]
    assert server.lost_answers == 0
    assert store.aliases.get("tabby").moves == 3


def test_of_eight_creators_one_wins(store):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: store.tree.create("x", b"%d" % n), range(8)))
    assert made.count(True) == 1
    assert store.tree.read("x") == b"%d" % made.index(True)


def test_epochs_are_taken_once(store):
    with ThreadPoolExecutor(4) as threads:
        epochs = list(threads.map(lambda _: store.jobs.state("job").take(), range(4)))
    assert sorted(epochs) == [1, 2, 3, 4]


def test_a_lock_excludes_and_one_of_a_dead_process_is_taken_over(store, monkeypatch):
    monkeypatch.setattr(object_lock, "LEASE_S", 0.5)
    monkeypatch.setattr(object_lock, "RENEW_S", 0.1)
    taken = threading.Event()

    def wait():
        with Store(store.url).tree.lock("models/tabby"):
            taken.set()

    with ThreadPoolExecutor(1) as threads:
        with store.tree.lock("models/tabby"):
            waiting = threads.submit(wait)
            time.sleep(1.5)  # three leases: the lock is renewed
            assert not taken.is_set()
        waiting.result(timeout=30)
    store.tree.write("locks/models/tabby", b"left by a process that was killed")
    wait()
    assert store.tree.names("locks/models") == []


def test_a_promotion_and_a_deletion_at_once_leave_no_alias_without_a_version(store, card):
    """One of them is refused, or both are."""
    for n in range(5):
        version = store.versions.publish("tom", b"%d" % n, card(), b"p").version
        with ThreadPoolExecutor(2) as threads:
            both = (
                threads.submit(store.aliases.promote, "tom", version),
                threads.submit(store.versions.delete, "tom", version),
            )
        assert any(outcome.exception() for outcome in both)
        now = store.aliases.get("tom")
        named = {now.serving, now.previous} - {None}
        assert all(store.versions.card("tom", name) for name in named)


def test_a_long_history_is_kept_in_small_objects(store, order):
    """Each event writes one segment again, never all of them; ids go on from one to the next."""
    job = store.jobs.create(JobKind.TRAIN, order)[0].id
    for n in range(60):
        add_event(store, job, "progress", {"n": n, "text": "x" * 1000})
    folder = f"jobs/{job}/events"
    sizes = [len(store.tree.read(f"{folder}/{name}")) for name in store.tree.names(folder)]
    assert len(sizes) > 2
    assert max(sizes) < SEGMENT_BYTES + 2000
    events = store.jobs.events(job)
    assert [event.id for event in events] == list(range(1, 62))
    assert [event.data["n"] for event in events[1:]] == list(range(60))
    assert store.jobs.events(job, after=45) == events[45:]
    assert store.jobs.events(job, after=61) == []


def test_events_of_two_writers_all_arrive(store, order):
    job = store.jobs.create(JobKind.TRAIN, order)[0].id

    def write(writer):
        for n in range(25):
            while True:  # whoever has not seen the other's last change is refused
                with suppress(LeaseLost):
                    add_event(store, job, "progress", {"writer": writer, "n": n, "text": "x" * 900})
                    break

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    events = store.jobs.events(job)
    assert [event.id for event in events] == list(range(1, 52))
    seen = [(event.data["writer"], event.data["n"]) for event in events[1:]]
    assert sorted(seen) == [(writer, n) for writer in range(2) for n in range(25)]


def test_a_history_that_an_older_release_began_goes_on(store, order):
    job = store.jobs.create(JobKind.TRAIN, order)[0].id
    fields = json.loads(store.tree.read(f"jobs/{job}/order.json"))
    for name in ("event", "events", "gives_up"):
        fields.pop(name)
    for name in ("order.json", "job.json"):
        store.tree.write(f"jobs/{job}/{name}", json.dumps(fields).encode())
    line = b'{"type": "progress", "at": "2026-01-01T00:00:00Z", "data": {}}\n'
    store.tree.write(f"jobs/{job}/events.jsonl", 3 * line)
    add_event(store, job, "resumed", {})
    add_event(store, job, "finished", {})
    assert [event.id for event in store.jobs.events(job)] == [1, 2, 3, 4, 5]
    assert [event.type for event in store.jobs.events(job, after=3)] == ["resumed", "finished"]


def test_a_job_deleted_in_the_instant_of_its_first_change_stays_deleted(store, order, monkeypatch):
    """A conditional write cannot tell a record that was never there from one that was deleted."""
    job = store.jobs.create(JobKind.TRAIN, order)[0].id
    late, put = Journal(store.jobs.get(job), store), store.tree._conditions.put
    calls = count()

    def put_late(place, data, tag):
        if place.endswith("/job.json") and next(calls) == 0:
            Journal(store.jobs.get(job), store).end(JobStatus.CANCELED)
            store.jobs.delete(job)
        return put(place, data, tag)

    monkeypatch.setattr(store.tree._conditions, "put", put_late)
    with pytest.raises(LeaseLost):
        late.start()
    with pytest.raises(Gone):
        store.jobs.get(job)
    assert store.jobs.list() == []
    assert next(calls) == 2


def test_of_many_who_change_a_job_at_once_one_does(store, order):
    """The check of the record is one with the write, whichever process or machine it is in."""
    for _ in range(5):
        seen = store.jobs.create(JobKind.TRAIN, order)[0]
        started = threading.Barrier(4)

        def change(n, seen=seen, started=started):
            started.wait()
            with suppress(LeaseLost):
                store.jobs.change(seen, "resumed", {"n": n})
                return n
            return None

        with ThreadPoolExecutor(4) as threads:
            [winner] = [n for n in threads.map(change, range(4)) if n is not None]
        events = store.jobs.events(seen.id)
        assert [(e.id, e.data) for e in events] == [(1, {}), (2, {"n": winner})]
