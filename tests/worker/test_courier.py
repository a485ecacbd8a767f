"""Tests of worker.courier: notices are delivered, repeated, and survive who delivers them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.store.journal import Journal
from models.store.records import JobKind, JobStatus
from tests.records import put_job, training_order
from tests.worker.receiver import receiving
from worker.courier import Courier
from worker.settings import WorkerSettings

SECRET = "a secret of the tests, long enough"  # noqa: S105 - of no service


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def new_courier(store, redis, tmp_path):
    """Return a maker of couriers, as in several workers; their threads are not started."""
    given = {"data": tmp_path, "webhook_secret": SECRET, "webhook_hosts": "127.0.0.1"}
    return lambda **more: Courier(store, redis, WorkerSettings(**given | more))


def new_job(store, url, status=JobStatus.FINISHED, **changes):
    """Add a job with a webhook, and end it."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    store.webhooks.add(record.id, url)
    if changes:
        record = put_job(store, replace(record, **changes))
    if status.has_ended:
        record = Journal(record, store).end(status, "because")
    return record


def make_due(store, job):
    """Let the time until the next attempt pass."""
    notice = store.webhooks.get(job)
    before = datetime.now(UTC) - timedelta(seconds=1)
    store.webhooks.failed(replace(notice, attempts=notice.attempts - 1), before.isoformat())


def test_an_ended_job_is_told_once(store, receiver, new_courier):
    job = new_job(store, receiver.url, JobStatus.COLLAPSED)
    courier = new_courier()
    courier.sweep()
    courier.sweep()
    new_courier().sweep()
    ((_, headers, body),) = receiver.came
    told = json.loads(body)
    assert told["type"] == "job.collapsed"
    assert told["data"]["job"] == job.id
    assert told["data"]["reason"] == "because"
    assert headers["webhook-id"] == f"msg_{job.id}"
    assert store.webhooks.get(job.id) is None


def test_a_job_that_has_not_ended_is_not_told(store, receiver, new_courier):
    job = new_job(store, receiver.url, JobStatus.QUEUED)
    new_courier().sweep()
    assert receiver.came == []
    assert store.webhooks.get(job.id) is not None


def test_a_failed_delivery_is_repeated_later_with_the_same_id(store, receiver, new_courier):
    """Also by another worker, after this one died: what is due is in the store."""
    receiver.answers += [500, 302]
    job = new_job(store, receiver.url)
    new_courier().sweep()
    new_courier().sweep()
    assert len(receiver.came) == 1
    for attempts in (1, 2):
        assert store.webhooks.get(job.id).attempts == attempts
        make_due(store, job.id)
        new_courier().sweep()
    assert {headers["webhook-id"] for _, headers, _ in receiver.came} == {f"msg_{job.id}"}
    assert len(receiver.came) == 3
    assert store.webhooks.get(job.id) is None


def test_the_pauses_grow(store, receiver, new_courier):
    receiver.answers += [503] * 4
    job = new_job(store, receiver.url)
    pauses = []
    for _ in range(4):
        now = datetime.now(UTC)
        new_courier().sweep()
        pauses.append((datetime.fromisoformat(store.webhooks.get(job.id).next_at) - now).seconds)
        make_due(store, job.id)
    assert pauses == pytest.approx([10, 20, 40, 80], abs=2)


def test_a_receiver_that_is_gone_is_left_alone(store, receiver, new_courier, caplog):
    receiver.answers.append(410)
    job = new_job(store, receiver.url)
    new_courier().sweep()
    assert store.webhooks.get(job.id) is None
    assert "410" in caplog.text


def test_after_days_it_is_given_up(store, receiver, new_courier, monkeypatch):
    receiver.answers.append(500)
    monkeypatch.setattr("worker.courier.GIVE_UP_S", -1)  # as if it had ended long ago
    job = new_job(store, receiver.url)
    new_courier().sweep()
    assert len(receiver.came) == 1
    assert store.webhooks.get(job.id) is None


def test_couriers_at_once_deliver_once(store, receiver, new_courier):
    for _ in range(3):
        new_job(store, receiver.url)
    couriers = [new_courier() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Courier.sweep, couriers))
    assert len(receiver.came) == 3


def test_nothing_goes_to_a_private_address(store, receiver, new_courier, caplog):
    """An order may be older than the rule, and a name may mean anything by now."""
    https = receiver.url.replace("http://127.0.0.1", "https://localhost")
    jobs = [new_job(store, receiver.url), new_job(store, https)]
    new_courier(webhook_hosts="").sweep()
    assert receiver.came == []
    assert store.webhooks.get(jobs[0].id) is None
    assert store.webhooks.get(jobs[1].id).attempts == 1
    assert "not public" in caplog.text


def test_a_receivers_words_forge_no_line_of_the_log(store, receiver, new_courier, caplog):
    job = new_job(store, "https://127.0.0.1/\nWARNING forged")
    new_courier(webhook_hosts="").sweep()
    assert store.webhooks.get(job.id) is None
    assert [record.getMessage().count("\n") for record in caplog.records] == [0]


def test_a_deleted_jobs_notice_is_forgotten(store, receiver, new_courier, monkeypatch):
    monkeypatch.setattr("worker.courier.FIRST_RETRY_S", 0.0)
    job = new_job(store, receiver.url)
    store.jobs.delete(job.id)
    new_courier().sweep()
    assert receiver.came == []
    assert store.webhooks.get(job.id) is None


def test_without_a_secret_no_thread_is_started(store, redis, tmp_path):
    with Courier(store, redis, WorkerSettings(data=tmp_path)) as courier:
        assert not courier._thread.is_alive()
