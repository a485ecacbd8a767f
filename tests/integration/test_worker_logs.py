"""The log of a worker and its job process, each a process of its own, over a real Valkey."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from models.store import Store
from models.store.records import Budget, JobKind, JobStatus
from tests.integration.service import House
from tests.records import training_order
from tests.worker.waiting import until
from worker.queue import enqueue
from worker.redis_client import connect
from worker.roster import roster
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        settings = WorkerSettings(
            data=tmp_path, redis_url=valkey.url, reap_s=0.5, min_free_mb=1, log_format="json"
        )
        house = House(settings, Store.open(settings.store_url), log=tmp_path / "log")
        yield house
        house.close()


def test_the_lines_of_a_training_name_the_request_that_caused_it(house):
    """From the record through the queue into the worker's child; every line is JSON."""
    order = training_order(budget=Budget(kimg=0.1))
    record, _ = house.store.jobs.create(JobKind.TRAIN, order, request="proxy-17")
    with redis_of(house) as redis:
        enqueue(redis, record.id, 0, house.settings, record.request_id)
    house.worker()
    until(lambda: "Job finished" in house.told(), 60, "the job ends")
    lines = [json.loads(line) for line in house.told().splitlines()]
    about = [line for line in lines if line["job_id"] == record.id]
    assert {line["request_id"] for line in about} == {"proxy-17"}
    assert {line["level"] for line in lines} == {"INFO"}
    said = [line["message"] for line in about if line["logger"] == "models.store.jobs"]
    assert said[0] == "Job started"
    assert said[-1] == "Job finished"


def test_a_job_that_the_reaper_queues_again_keeps_its_request(house):
    """Redis knew nothing of it: the request is in the job's record."""
    order = training_order(budget=Budget(kimg=0.1))
    record, _ = house.store.jobs.create(JobKind.TRAIN, order, request="proxy-18")
    house.worker()
    until(lambda: "Job finished" in house.told(), 60, "the job ends")
    lines = [json.loads(line) for line in house.told().splitlines()]
    about = [line for line in lines if line["job_id"] == record.id]
    assert {line["request_id"] for line in about} == {"proxy-18"}


def test_a_job_process_without_a_store_says_so_in_one_line(house, tmp_path, monkeypatch):
    """A full disk, say: the job stays as it is, and no traceback fills the log."""
    full = tmp_path / "full"
    monkeypatch.setenv("CHAOS_FULL", str(full))
    house.command = ("-m", "benchmarks.chaos.faults", "worker")
    house.worker()
    with redis_of(house) as redis:
        until(lambda: roster(redis), 30, "the worker is there")
    full.touch()
    record, _ = house.store.jobs.create(JobKind.TRAIN, training_order())
    until(lambda: "Could not begin" in house.told(), 60, "the job process begins")
    assert "Traceback" not in house.told()
    now = house.store.jobs.get(record.id)
    assert (now.status, now.attempts) == (JobStatus.QUEUED, 0)


def redis_of(house: House) -> Redis:
    return connect(house.settings.redis_url)
