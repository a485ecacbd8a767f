"""Real worker and job processes, and a Redis that refuses, hangs or goes away."""

import re
from contextlib import closing

import pytest

from models.store.records import JobStatus
from tests.worker.redis_proxy import Mode
from tests.worker.waiting import is_running, until
from worker.protocol import lease_key
from worker.redis_client import connect

END_S = 120
"""Longest wait for a job's end: its process has the lowest priority on a busy machine."""

SHOWN = (Mode.READONLY, Mode.OOM, Mode.MISCONF, Mode.NOAUTH, Mode.LOADING, Mode.CUT, Mode.HANG)


@pytest.mark.parametrize("mode", SHOWN)
def test_a_worker_waits_for_redis_and_says_so_in_a_line(house, proxy, mode):
    """Whatever it answers, no traceback, one line each; and jobs run as soon as it is well."""
    proxy.set(mode)
    worker = house.worker()
    until(lambda: "Worker: Redis is unavailable" in house.told(), 60, "it says so")
    until(lambda: "Reaper: Redis is unavailable" in house.told(), 30, "so does the reaper")
    proxy.set(Mode.NORMAL)
    house.status(house.job(5), JobStatus.FINISHED, END_S)
    assert worker.poll() is None
    lines = house.told().splitlines()
    assert "Traceback" not in house.told()
    assert len([line for line in lines if "]: Worker: " in line]) == 2, lines


@pytest.mark.parametrize("mode", SHOWN)
def test_a_job_waits_for_redis_and_goes_on_with_no_step_lost_or_doubled(house, proxy, valkey, mode):
    """Longer than the lease lasts: it is free meanwhile, and nobody runs the job twice."""
    worker = house.worker()
    other = house.worker()
    job = house.job(150)
    until(house.trace, 60, "a job runs")
    child = house.trace()[-1][0]
    proxy.set(mode)
    with closing(connect(valkey.url)) as direct:
        until(lambda: not direct.exists(lease_key(job)), 10, "the lease runs out")
    seen = len(house.trace())
    assert is_running(child)
    until(lambda: house.told().count("unavailable") > 2, 30, "workers and job say so")
    assert len(house.trace()) <= seen + 1
    proxy.set(Mode.NORMAL)
    house.status(job, JobStatus.FINISHED, END_S)
    assert [step for *_, step in house.trace()] == list(range(1, 151))
    assert house.events(job).count("started") == 1
    assert house.events(job)[-2:] == ["started", "finished"]
    assert (worker.poll(), other.poll()) == (None, None)
    assert "Traceback" not in house.told()


def test_a_job_that_ends_while_redis_refuses_has_ended(house, proxy):
    """Its end is in the store; RQ's is made up for, and the next job runs."""
    house.worker(CATTERY_LEASE_S="30")
    job = house.job(100)
    until(house.trace, 60, "a job runs")
    with proxy.during(Mode.READONLY):
        house.status(job, JobStatus.FINISHED, END_S)
    house.status(house.job(5), JobStatus.FINISHED, END_S)
    assert house.events(job)[-2:] == ["started", "finished"]
    assert "Traceback" not in house.told()


def test_a_stopping_worker_does_not_wait_for_redis(house, proxy):
    worker = house.worker()
    house.job(1000)
    child = house.child(worker)
    with proxy.during(Mode.HANG):
        until(lambda: re.search("Lease on job .* unavailable", house.told()), 30, "it is told")
        worker.terminate()
        assert worker.wait(60) == 0
        assert not is_running(child)
