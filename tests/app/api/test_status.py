"""Tests of app.api.status, app.observability.rates and what workers report to them."""

import json
import sys
from time import perf_counter
from types import ModuleType

import pytest
import redis
from rq.worker import SpawnWorker

from app.observability.rates import RateMeter, quantile
from models.store.records import JobStatus
from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from tests.app.ordering import ORDER, add_dataset, ended_job, new_job
from worker.protocol import vitals_key
from worker.queue import job_queue
from worker.vitals import Reporter, device_memory, memory_bytes


def test_an_operator_sees_everything_in_one_document(api, redis_url, tmp_path):
    put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())
    add_dataset(api.store, tmp_path)
    running = new_job(api.store, status=JobStatus.STARTED)
    ended_job(api.store)
    queued = [
        api.post("/train", json=ORDER | {"model": "kittens", "seed": seed}).json()["id"]
        for seed in (1, 2)
    ]
    api.get("/cats?seed=1")
    with redis.Redis.from_url(redis_url) as client:
        worker = SpawnWorker([job_queue(client)], name="w-1", connection=client)
        worker.register_birth()
        worker.set_state("idle")
        with Reporter(client, "w-1", "cpu"):
            status = until(lambda: fresh(api), lambda it: it["workers"][0]["rss_bytes"])
        worker.register_death()
    assert (status["status"], status["checks"]["queue"]) == ("ready", "ok")
    assert status["service"]["loaded"] == ["dcgan@" + api.app.state.pool.card("dcgan").version]
    assert status["service"]["rss_bytes"] > 10_000_000
    assert [job["id"] for job in status["running"]] == [running.id]
    assert [(row["position"], row["job"]["id"]) for row in status["queue"]] == [
        (1, queued[0]),
        (2, queued[1]),
    ]
    assert all(0 <= row["waiting_s"] < 60 for row in status["queue"])
    (worker_view,) = status["workers"]
    assert (worker_view["name"], worker_view["state"], worker_view["job"]) == ("w-1", "idle", None)
    assert worker_view["rss_bytes"] > 10_000_000
    assert worker_view["device"]["name"] == "cpu"
    assert status["traffic"]["cats_per_s"] > 0
    assert "/cats" in {route["route"] for route in status["traffic"]["routes"]}


def fresh(api):
    """Return the state, not one that is up to a second old."""
    api.app.state.status_board._made_at = float("-inf")
    return api.get("/status").json()


def until(read, is_good):
    """Read again until it is good; a reporting thread may be a moment late."""
    deadline = perf_counter() + 20
    while not is_good(found := read()):
        assert perf_counter() < deadline
    return found


def test_polling_costs_little(api, store):
    """Of fifty polls within a second the store and Redis notice one or two."""
    for _ in range(20):
        ended_job(store)
    began = perf_counter()
    for _ in range(50):
        assert api.get("/status").status_code == 200
    assert perf_counter() - began < 5


def test_without_redis_the_rest_is_told(new_api, store):
    job = new_job(store)
    with new_api() as api:
        status = api.get("/status").json()
    assert "Redis" in status["checks"]["queue"]
    assert status["workers"] == []
    assert [row["job"]["id"] for row in status["queue"]] == [job.id]
    assert status["status"] == "not ready"  # no model is in service


def test_a_note_on_a_queue_that_works_is_not_taken_for_its_absence(api, redis_url, monkeypatch):
    """As after the embedded Valkey moved damaged files aside; the note stays."""
    put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())
    monkeypatch.setattr(api.app.state.queue, "note", lambda: "Files were moved aside.")
    with redis.Redis.from_url(redis_url) as client:
        worker = SpawnWorker([job_queue(client)], name="w-3", connection=client)
        worker.register_birth()
        status = fresh(api)
        worker.register_death()
    assert (status["checks"]["queue"], status["queue_note"]) == ("ok", "Files were moved aside.")
    assert [worker["name"] for worker in status["workers"]] == ["w-3"]
    assert api.get("/readyz").json()["checks"]["queue"] == "Files were moved aside."


def test_both_disks_and_the_minimum_are_told(new_api, redis_url):
    with new_api(redis_url=redis_url, min_free_mb=7) as api:
        status = api.get("/status").json()
    assert status["min_free_bytes"] == 7 * 2**20
    assert status["data_free_bytes"] > 0
    assert status["store_free_bytes"] > 0


def test_a_parameter_that_it_does_not_have_is_refused(api):
    problem_of(api.get("/status?x=1"), 422)


async def test_a_report_goes_with_its_process(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        with Reporter(client, "w-2", "cpu", "some-job"):
            raw = until(lambda: client.get(vitals_key("w-2", "job")), bool)
            assert json.loads(raw)["job"] == "some-job"
        assert client.get(vitals_key("w-2", "job")) is None


def test_memory_is_unknown_where_there_is_no_proc(tmp_path):
    assert memory_bytes(tmp_path / "statm") is None


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.5, None),
        ({1.0: 0.0, float("inf"): 0.0}, 0.5, None),
        ({1.0: 10.0, 2.0: 10.0, float("inf"): 10.0}, 0.5, 0.5),
        ({1.0: 5.0, 2.0: 10.0, float("inf"): 10.0}, 0.75, 1.5),
        ({1.0: 0.0, float("inf"): 4.0}, 0.5, 1.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(buckets, share, expected):
    assert quantile(buckets, share) == expected


def test_rates_are_those_since_the_oldest_reading(telemetry):
    meter = RateMeter(telemetry)
    for status in (200, 200, 503):
        telemetry.requests.labels("/cats", "GET", status).inc()
        telemetry.request_s.labels("/cats").observe(0.02)
    rates = meter.rates()
    assert rates.requests_per_s == pytest.approx(3 * rates.errors_per_s, rel=0.01)
    (route,) = rates.routes
    assert route.route == "/cats"
    assert 0.01 <= (route.p50_s or 0) <= (route.p95_s or 0) <= (route.p99_s or 0) <= 0.025


def test_memory_is_unknown_while_another_thread_imports_torch(monkeypatch):
    """The thread that reports would end, and the worker be without figures for good."""
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    assert device_memory("cuda") is None
