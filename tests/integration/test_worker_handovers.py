"""An outage of Redis while the store works: who runs a job, and who may still change it."""

from contextlib import closing

import pytest

from models.store.journal import cancel_before_start
from models.store.records import JobStatus
from tests.worker.redis_proxy import Mode
from tests.worker.waiting import is_running, until
from worker.protocol import lease_key
from worker.redis_client import connect

END_S = 120
"""Longest wait for a job's end: its process has the lowest priority on a busy machine."""


@pytest.fixture
def direct(valkey):
    """Return a client that no outage concerns."""
    with closing(connect(valkey.url)) as client:
        yield client


def cut_off(house, proxy, direct, steps):
    """Start a job, and return it and its process once its lease has run out unnoticed by Redis."""
    worker = house.worker()
    job = house.job(steps)
    child = house.child(worker)
    until(lambda: house.store.jobs.state(job).exists(), 30, "a state")
    proxy.set(Mode.READONLY)
    until(lambda: not direct.exists(lease_key(job)), 10, "the lease runs out")
    return worker, job, child


@pytest.mark.parametrize("is_stopped", [False, True])
def test_whoever_took_a_job_during_an_outage_keeps_it(house, proxy, direct, valkey, is_stopped):
    """Its first process, cut off from Redis but not from the store, changes nothing any more."""
    worker, job, child = cut_off(house, proxy, direct, 150)
    other = house.worker(CATTERY_REDIS_URL=valkey.url)
    successor = house.child(other)
    assert is_running(child)
    if is_stopped:
        worker.terminate()
        assert worker.wait(30) == 0
    proxy.set(Mode.NORMAL)
    until(lambda: not is_running(child), 30, "the first process ends")
    house.status(job, JobStatus.FINISHED, END_S)
    pids = [pid for pid, *_ in house.trace()]
    assert set(pids[pids.index(successor) :]) == {successor}
    steps = [step for pid, *_, step in house.trace() if pid == successor]
    assert steps == list(range(steps[0], 151))
    assert steps[0] > 1
    assert house.events(job) == ["queued", "started", "interrupted", "started", "finished"]
    assert other.poll() is None
    if not is_stopped:
        assert worker.poll() is None
        house.status(house.job(5), JobStatus.FINISHED, END_S)
    assert "Traceback" not in house.told()


def test_a_job_canceled_while_redis_refuses_ends_as_soon_as_it_is_known_to_be_ours(
    house, proxy, direct
):
    """One that waits in the queue ends at once, since nobody needs Redis for that."""
    worker, job, _ = cut_off(house, proxy, direct, 5000)
    jobs = house.store.jobs
    waiting = jobs.create(jobs.get(job).kind, jobs.order(jobs.get(job)))[0].id
    for each in (job, waiting):
        jobs.request_cancel(each)
    assert cancel_before_start(jobs.get(job), house.store) is None
    assert cancel_before_start(jobs.get(waiting), house.store)
    seen = len(house.trace())
    assert jobs.get(job).status is JobStatus.STARTED
    proxy.set(Mode.NORMAL)
    house.status(job, JobStatus.CANCELED, END_S)
    assert len(house.trace()) <= seen + 1
    assert house.events(job) == ["queued", "started", "canceled"]
    assert house.events(waiting) == ["queued", "canceled"]
    house.status(house.job(5), JobStatus.FINISHED, END_S)
    assert worker.poll() is None
    assert "Traceback" not in house.told()


def test_a_job_canceled_during_a_short_outage_ends_before_it_is_over(house, proxy):
    """As long as its lease lasts for certain, it does not wait for Redis."""
    worker = house.worker(CATTERY_LEASE_S="30")
    job = house.job(5000)
    house.child(worker)
    with proxy.during(Mode.READONLY):
        house.store.jobs.request_cancel(job)
        house.status(job, JobStatus.CANCELED, 25)
    assert house.events(job) == ["queued", "started", "canceled"]
    house.status(house.job(5), JobStatus.FINISHED, END_S)
