"""Tests of app.jobs.gauges."""

import re
from dataclasses import replace
from threading import Event
from time import perf_counter

import pytest
import redis
from rq.worker import SpawnWorker

from app.jobs.gauges import COLLAPSES, REASONS, reason_of
from models.store.records import Collapse, JobKind, JobRecord, JobStatus
from models.training.collapse import RULES
from tests.app.ordering import ORDER, add_dataset, ended_job, new_job
from worker.queue import job_queue


def value(text: str, name: str) -> float | None:
    """Return the value of a metric with its labels in the exposition, or None if it has none."""
    found = re.search(rf"^cattery_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def scrape(api) -> str:
    """Return the metrics of now, not those of the last five seconds."""
    api.app.state.job_gauges._measured_at = float("-inf")
    api.app.state.job_table._listed_at = float("-inf")
    return api.get("/metrics").text


def test_jobs_queue_workers_and_disks_are_seen(api, redis_url, tmp_path):
    add_dataset(api.store, tmp_path)
    new_job(api.store, status=JobStatus.STARTED)
    ended_job(api.store)
    assert api.post("/train", json=ORDER).status_code == 202
    with redis.Redis.from_url(redis_url) as client:
        worker = SpawnWorker([job_queue(client)], name="w-1", connection=client)
        worker.register_birth()
        worker.set_state("idle")
        text = scrape(api)
        worker.register_death()
    assert value(text, 'jobs{reason="",status="started"}') == 1
    assert value(text, 'jobs{reason="",status="finished"}') == 1
    assert value(text, 'jobs{reason="",status="failed"}') == 0
    assert value(text, 'jobs_waiting{kind="train"}') == 1
    assert value(text, 'jobs_waiting{kind="import"}') == 0
    assert 0 < (value(text, 'jobs_waiting_oldest_seconds{kind="train"}') or 0) < 60
    assert value(text, 'workers{state="idle"}') == 1
    assert value(text, 'workers{state="busy"}') == 0
    assert value(text, "queue_up") == 1
    assert (value(text, 'disk_free_bytes{disk="data"}') or 0) > 1e6
    assert (value(text, 'disk_free_bytes{disk="store"}') or 0) > 1e6


def test_the_first_job_that_fails_for_a_reason_is_a_rise(api):
    """An alert compares with before: the series must be there at 0 until then."""
    assert set(COLLAPSES) == set(RULES)
    before = scrape(api)
    for _, word in REASONS:
        assert value(before, f'jobs{{reason="{word}",status="failed"}}') == 0
    for rule in RULES:
        assert value(before, f'jobs{{reason="{rule}",status="collapsed"}}') == 0
    new_job(api.store, status=JobStatus.FAILED, reason="Out of memory on cuda.")
    assert value(scrape(api), 'jobs{reason="out_of_memory",status="failed"}') == 1


def test_a_paused_job_of_the_command_line_waits_for_no_worker(api, tmp_path):
    add_dataset(api.store, tmp_path)
    new_job(api.store, runner="cli")
    new_job(api.store, runner="cli", status=JobStatus.STARTED)
    text = scrape(api)
    assert value(text, 'jobs{reason="",status="queued"}') == 1
    assert value(text, 'jobs_waiting{kind="train"}') == 0
    assert api.get("/status").json()["queue"] == []
    assert api.post("/train/estimate", json=ORDER).json()["jobs_ahead"] == 0


def test_many_scrapes_cost_no_more_than_one(api, monkeypatch):
    """The jobs are listed once for all that scrape within seconds."""
    listed: list[float] = []
    ask = api.store.jobs.list

    def list_jobs():
        listed.append(perf_counter())
        return ask()

    monkeypatch.setattr(api.store.jobs, "list", list_jobs)
    scrape(api)
    first = len(listed)
    for _ in range(20):
        api.get("/metrics")
    assert len(listed) == first


def test_without_redis_nothing_is_said_of_workers(new_api):
    with new_api(redis_url="redis://127.0.0.1:1/0") as api:
        text = scrape(api)
    assert value(text, "queue_up") == 0
    assert "cattery_workers{" not in text
    assert value(text, 'jobs{reason="",status="queued"}') == 0


def test_a_store_that_hangs_does_not_hold_up_a_scrape(api, monkeypatch):
    """Counters are told as ever, and the gauges as last known."""
    scrape(api)
    free, ask = Event(), api.store.jobs.list
    monkeypatch.setattr("app.jobs.gauges.PATIENCE_S", 0.1)
    monkeypatch.setattr(api.store.jobs, "list", lambda: free.wait(20) and ask())
    began = perf_counter()
    texts = [scrape(api) for _ in range(5)]
    took_s = perf_counter() - began
    free.set()
    assert took_s < 10
    assert value(texts[-1], 'jobs{reason="",status="queued"}') == 0
    assert "cattery_requests_total{" in texts[-1]


FAILED = JobRecord(
    id="a", kind=JobKind.TRAIN, order={}, created_at="2026-01-01T00:00:00Z", status=JobStatus.FAILED
)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("The job was interrupted 5 times without making progress.", "interrupted"),
        ("The disk of the store has 1 MiB free (CATTERY_MIN_FREE_MB).", "full_disk"),
        ("Out of memory on cuda with batch 64; 32 fits.", "out_of_memory"),
        ("ValueError: whatever a client sent", "error"),
        (None, "error"),
    ],
)
def test_why_jobs_failed_is_one_of_few_words(reason, word):
    """Whatever they say: a label with sentences would make a time series of every job."""
    assert reason_of(replace(FAILED, reason=reason)) == word


def test_a_collapse_is_named_by_its_rule():
    collapse = Collapse(
        rule="not_finite", meaning="", value=None, limit=0, is_floor=False, step=1, since_step=1,
        kimg=1, sample=None, remedy="",
    )  # fmt: skip
    record = replace(FAILED, status=JobStatus.COLLAPSED, collapse=collapse)
    assert reason_of(record) == "not_finite"
