"""Real worker and job processes over a real Valkey, and what kills them."""

import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from models.errors import Gone
from models.store import Store
from models.store.journal import cancel_before_start
from models.store.records import JobStatus
from tests.integration.service import House
from tests.worker.waiting import is_running, until
from worker.protocol import ANNOUNCEMENTS
from worker.queue import enqueue
from worker.redis_client import connect
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

PASSWORD = "tabby-and-tortoiseshell-3141"  # noqa: S105 - a password to look for


@pytest.fixture
def valkey(tmp_path):
    """Return a Valkey that asks for a password."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        ask_for_password(server)
        yield server


def ask_for_password(valkey):
    with closing(connect(valkey.url)) as client:
        client.config_set("requirepass", PASSWORD)


@pytest.fixture
def house(tmp_path, valkey):
    url = valkey.url.replace("unix://", f"unix://:{PASSWORD}@")
    settings = WorkerSettings(data=tmp_path, redis_url=url, lease_s=2, reap_s=0.5, min_free_mb=1)
    house = House(settings, Store.open(settings.store_url))
    yield house
    house.close()


def told(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_has_the_password_in_its_arguments(house):
    """Who can list processes learns nothing, and the job process stands back for serving."""
    worker = house.worker()
    house.job()
    child = house.child(worker)
    for pid in (worker.pid, child):
        assert told(pid, "cmdline")
        assert PASSWORD not in told(pid, "cmdline")
        assert "://" not in told(pid, "cmdline")
    assert PASSWORD in told(child, "environ")  # how it got it
    assert house.trace()[-1][2] == 19


def test_a_job_ends_finished_and_its_promotion_is_announced(house):
    redis = connect(house.settings.redis_url)
    with redis.pubsub(ignore_subscribe_messages=True) as news:
        news.subscribe(ANNOUNCEMENTS)
        house.worker()
        job = house.job(20)
        house.status(job, JobStatus.FINISHED)
        message = until(lambda: news.get_message(timeout=1), 10, "the announcement")
    redis.close()
    assert json.loads(message["data"]) == {"model": "dcgan"}
    assert house.events(job) == ["queued", "started", "finished"]


def test_a_killed_workers_job_process_ends_and_a_new_worker_goes_on(house):
    """SIGKILL of the worker: ten seconds to end, thirty to go on, from the last state."""
    worker = house.worker()
    job = house.job(100)
    child = house.child(worker)
    until(lambda: house.store.jobs.state(job).exists(), 10, "a state")
    worker.kill()
    until(lambda: not is_running(child), 10, "the job process ends")
    new = house.worker()
    assert house.child(new) != child
    starts = [e.data["step"] for e in house.store.jobs.events(job) if e.type == "started"]
    assert len(starts) == 2
    assert starts[1] > 0
    house.status(job, JobStatus.FINISHED)
    assert "interrupted" in house.events(job)


def test_a_killed_job_process_is_noticed_and_the_job_goes_on(house):
    """SIGKILL of the job process, as the kernel does where memory is short."""
    worker = house.worker()
    job = house.job(100)
    child = house.child(worker)
    until(lambda: house.store.jobs.state(job).exists(), 10, "a state")
    os.kill(child, signal.SIGKILL)
    house.status(job, JobStatus.FINISHED)
    assert house.events(job) == ["queued", "started", "interrupted", "started", "finished"]
    assert worker.poll() is None


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_worker_saves_its_job_and_the_next_start_goes_on(house, signum):
    """No step is lost, and no process left."""
    worker = house.worker()
    job = house.job(100)
    child = house.child(worker)
    worker.send_signal(signum)
    assert worker.wait(15) == 0
    assert not is_running(child)
    record = house.store.jobs.get(job)
    assert record.status is JobStatus.QUEUED
    assert record.progress.step == house.trace()[-1][3]
    house.worker()
    house.status(job, JobStatus.FINISHED)
    steps = [step for *_, step in house.trace()]
    assert steps == list(range(1, 101))
    assert "interrupted" not in house.events(job)


def test_an_idle_worker_stops_at_once(house):
    worker = house.worker()
    job = house.job(1)
    house.status(job, JobStatus.FINISHED)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0


def test_a_checkpoint_that_takes_too_long_is_not_waited_for(house):
    worker = house.worker(CATTERY_SHUTDOWN_S="0.5")
    job = house.job(2000)
    child = house.child(worker)
    os.kill(child, signal.SIGSTOP)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    until(lambda: not is_running(child), 5, "it is killed")
    assert not house.store.jobs.get(job).status.has_ended


def test_two_workers_never_run_one_job_at_once(house):
    """Even when it is queued many times over, every step is taken once."""
    job = house.job(100)
    with closing(connect(house.settings.redis_url)) as redis:
        for attempt in range(1, 6):
            enqueue(redis, job, attempt, house.settings)
    house.worker()
    house.worker()
    house.status(job, JobStatus.FINISHED)
    steps = Counter(step for *_, step in house.trace())
    assert set(steps.values()) == {1}
    assert len(steps) == 100
    assert house.events(job) == ["queued", "started", "finished"]


def test_flushing_redis_loses_no_job(house):
    """The running job runs on undisturbed; the waiting one is found in the store."""
    worker = house.worker(CATTERY_LEASE_S="20")  # time to renew it on a busy machine
    first, second = house.job(100), house.job(20)
    child = house.child(worker)
    with closing(connect(house.settings.redis_url)) as redis:
        redis.flushall()
    house.status(second, JobStatus.FINISHED)
    assert house.events(first) == ["queued", "started", "finished"]
    assert house.events(second) == ["queued", "started", "finished"]
    assert {pid for pid, *_ in house.trace()[:100]} == {child}


def test_a_redis_that_was_away_is_found_again(house, valkey):
    """The job waits for it, since nobody can tell whose it is, and goes on with no step lost."""
    worker = house.worker()
    first = house.job(200)
    child = house.child(worker)
    valkey.stop()
    until(lambda: silent_for(house, 1.0), 30, "the job waits")
    assert is_running(child)
    valkey.start()
    ask_for_password(valkey)
    house.status(first, JobStatus.FINISHED)
    second = house.job(10)
    house.status(second, JobStatus.FINISHED)
    assert worker.poll() is None
    assert [step for *_, step in house.trace()[:200]] == list(range(1, 201))
    assert {pid for pid, *_ in house.trace()[:200]} == {child}
    assert house.events(first) == ["queued", "started", "finished"]


def silent_for(house, seconds: float) -> bool:
    """Say whether no step was taken for a time."""
    return time.time() - (house.settings.data / "trace").stat().st_mtime > seconds


def test_a_running_job_can_be_canceled(house):
    worker = house.worker()
    job = house.job(5000)
    child = house.child(worker)
    house.store.jobs.request_cancel(job)
    house.status(job, JobStatus.CANCELED, 10)
    until(lambda: not is_running(child), 10, "its process ends")
    assert worker.poll() is None


def test_no_job_starts_on_a_full_disk(house):
    house.worker(CATTERY_MIN_FREE_MB=str(2**40))
    job = house.job()
    house.status(job, JobStatus.FAILED)
    assert "CATTERY_MIN_FREE_MB" in house.store.jobs.get(job).reason
    assert house.trace() == []


def test_a_process_that_starts_slowly_is_not_taken_for_dead(house):
    """Its worker holds the lease from before its start: nothing is interrupted."""
    house.worker(STEPPER_START_S="8")  # four leases
    job = house.job(20)
    house.status(job, JobStatus.FINISHED, 60)
    assert house.events(job) == ["queued", "started", "finished"]
    assert house.store.jobs.get(job).attempts == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_job_asked_to_stop_while_it_starts_waits_and_goes_on(house, signum):
    """The request does not kill it before it listens, and is not lost; no death is recorded."""
    worker = house.worker(STEPPER_START_S="3")
    job = house.job(20)
    until(lambda: children(worker.pid), 30, "its process")
    worker.send_signal(signum)
    assert worker.wait(30) == 0
    assert set(house.events(job)) == {"queued"}
    house.worker()
    house.status(job, JobStatus.FINISHED)
    assert "interrupted" not in house.events(job)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_job_process_hears_both_signals_though_a_script_ignored_one(house, signum):
    """What a shell script starts in the background inherits an ignored SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        worker = house.worker()
    finally:
        signal.signal(signal.SIGINT, before)
    job = house.job(500)
    os.kill(house.child(worker), signum)
    until(lambda: "paused" in house.events(job), 10, "it is paused")
    worker.send_signal(signal.SIGINT)
    assert worker.wait(15) == 0


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(word) for word in told(pid, f"task/{pid}/children").split()]


def test_canceling_and_deleting_a_job_that_just_began_holds(house):
    """In its first second, in which its process is still importing; its worker goes on."""
    worker = house.worker(STEPPER_START_S="1")
    jobs = house.store.jobs
    for _ in range(3):
        job = house.job(500)
        until(lambda: children(worker.pid), 30, "its process")
        jobs.request_cancel(job)
        assert cancel_before_start(jobs.get(job), house.store)
        jobs.delete(job)
        until(lambda: not children(worker.pid), 30, "its process ends")
        with pytest.raises(Gone):
            jobs.get(job)
    assert jobs.list() == []
    assert house.trace() == []
    assert worker.poll() is None


def test_a_stopping_worker_that_is_told_twice_kills_its_job(house):
    """The second signal, more than a second after the first, means now."""
    worker = house.worker()
    house.job(5000)
    child = house.child(worker)
    os.kill(child, signal.SIGSTOP)
    worker.send_signal(signal.SIGTERM)

    def again() -> bool:
        with suppress(ProcessLookupError):
            worker.send_signal(signal.SIGTERM)
        return worker.poll() is not None

    until(again, 15, "it ends")
    assert not is_running(child)
