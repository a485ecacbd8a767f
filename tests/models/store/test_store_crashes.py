"""Processes that are killed while they write: what they leave is whole, and nobody waits."""

import signal
import subprocess
import sys
from itertools import count

import pytest

from models.errors import StoreError
from models.store import Store
from models.store.records import JobKind, JobRecord
from models.store.serialization import loads

WRITE = """
import sys
from models.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
for n in range(1_000_000):
    store.tree.write("jobs/x/job.json", bytes([65 + n % 2]) * 300_000)
"""

LOCK = """
import sys, signal
from models.store import Store
with Store(sys.argv[1]).tree.lock("models/tabby"):
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture
def started(local_store):
    """Return a function that runs a program on the store until it says that it is ready."""
    running = []

    def start(program):
        command = [sys.executable, "-c", program, local_store.url]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout.readline() == "ready\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=30)


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(local_store, started):
    for _ in range(5):
        local_store.tree.write("jobs/x/job.json", b"start")
        writer = started(WRITE)
        for _ in count():  # reading until it has begun: there is no set time for that
            if local_store.tree.read("jobs/x/job.json") != b"start":
                break
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=30)
        content = local_store.tree.read("jobs/x/job.json")
        assert (len(content), len(set(content))) == (300_000, 1)
        assert Store.open(local_store.url).tree.names("jobs/x") == ["job.json"]


def test_the_lock_of_a_killed_process_is_free(local_store, started, card):
    """An alias can be moved although its lock was never given back."""
    version = local_store.versions.publish("tabby", b"a", card(), b"png").version
    holder = started(LOCK)
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert local_store.aliases.promote("tabby", version).serving == version


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b'{"id": 1}', b'{"progress": 5}'])
def test_a_damaged_record_of_any_kind_is_a_store_error(local_store, order, damage):
    job = local_store.jobs.create(JobKind.TRAIN, order)[0].id
    local_store.tree.write(f"jobs/{job}/job.json", damage)
    with pytest.raises(StoreError, match=f"jobs/{job}/job.json"):
        local_store.jobs.get(job)
    with pytest.raises(StoreError):
        loads(JobRecord, damage)
