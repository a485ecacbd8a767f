"""Submitting training jobs over HTTP: app.jobs.service and app.jobs.queue."""

import json
import time

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from app.jobs.queue import JobQueue
from app.problems.errors import QueueUnavailable
from app.settings import AppSettings
from models.gan.recipes import RECIPES
from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from tests.app.ordering import ORDER, add_dataset
from tests.worker.redis_proxy import SCRIPTS, Mode, RedisProxy
from worker.protocol import ANNOUNCEMENTS, QUEUE, RUN_JOB
from worker.reaper import Reaper
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey


@pytest.fixture
def cats(store, tmp_path):
    add_dataset(store, tmp_path)


@pytest.fixture
def queued(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
        yield lambda: queue.jobs


def test_an_order_is_queued_by_dotted_name(api, cats, queued):
    """202 with the job's address; the queue holds its id and nothing pickled."""
    response = api.post("/train", json=ORDER)
    assert response.status_code == 202, response.text
    job = response.json()
    assert response.headers["location"] == f"/jobs/{job['id']}" == job["links"]["self"]
    assert (job["status"], job["kind"]) == ("queued", "train")
    assert job["order"]["model"] == "dcgan"
    assert job["order"]["size_px"] == 64
    (waiting,) = queued()
    assert (waiting.func_name, waiting.args) == (RUN_JOB, [job["id"]])
    assert isinstance(waiting, Job)
    assert api.get(response.headers["location"]).json() == job


def test_a_key_stands_for_one_order(api, cats, queued):
    """A repeat is one job, queued once; another order conflicts. Without a key each is a job."""
    headers = {"idempotency-key": "once"}
    first = api.post("/train", json=ORDER, headers=headers)
    again = api.post("/train", json=ORDER, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert len(queued()) == len(api.store.jobs.list()) == 1
    other = api.post("/train", json=ORDER | {"seed": 1}, headers=headers)
    assert "Idempotency-Key" in problem_of(other, 409, "conflict")["detail"]
    ids = {api.post("/train", json=ORDER).json()["id"] for _ in range(2)}
    assert len(ids) == len(queued()) - 1 == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({"budget": {"kimg": kimg}}, "budget.kimg") for kimg in (0, 1e9)),
        ({"budget": {"minutes": "2"}}, "budget.minutes"),
        *(({"budget": budget}, "budget") for budget in ({}, {"kimg": 1, "minutes": 1})),
        *(({"seed": seed}, "seed") for seed in (-1, 2**53, True)),
        ({"size_px": 48}, "size_px"),
        ({"model": "../etc"}, "model"),
        ({"promote": "maybe"}, "promote"),
        ({"overrides": {"lr_generator": "fast"}}, "overrides.lr_generator"),
        ({"overrides": {"speed": 1}}, "overrides.speed"),
        ({"overrides": {"ema": 2}}, "overrides.ema"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_out_of_range_is_told(api, cats, changes, field):
    document = problem_of(api.post("/train", json=ORDER | changes), 422, "invalid-value")
    assert document["field"] == field
    assert document["allowed"]
    assert api.store.jobs.list() == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["overrides.lr_generator", "budget.kimg"])
def test_a_learning_rate_of_nan_is_refused(api, cats, field, number):
    """Numbers that JSON does not have, but Python's parser takes, are refused by name."""
    numbers = {"budget.kimg": "1", "overrides.lr_generator": "0.1", field: number}
    order = json.dumps(ORDER | {"budget": {"kimg": 1111}, "overrides": {"lr_generator": 2222}})
    body = order.replace("1111", numbers["budget.kimg"])
    body = body.replace("2222", numbers["overrides.lr_generator"])
    response = api.post("/train", content=body, headers={"content-type": "application/json"})
    assert problem_of(response, 422, "invalid-value")["field"] == field


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"recipe": "dgcan"}, sorted(RECIPES)),
        ({"dataset": "dogs"}, ["cats"]),
        ({"resume_from": "20200101-000000-aaaaaa"}, []),
        ({"resume_from": "dcgan@0123"}, []),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(api, cats, changes, known):
    document = problem_of(api.post("/train", json=ORDER | changes), 404, "not-found")
    assert document["known"] == known


def test_a_deleted_dataset_is_gone(api, cats):
    api.store.datasets.delete("cats")
    problem_of(api.post("/train", json=ORDER), 410, "gone")


@pytest.mark.parametrize("url", ["", "unix:///nowhere/valkey.sock", "redis://127.0.0.1:1"])
def test_without_redis_nothing_is_ordered(new_api, cats, url):
    """503 with Retry-After at once, and no job is left behind."""
    with new_api(redis_url=url, retry_after_s=9) as api:
        began = time.monotonic()
        response = api.post("/train", json=ORDER)
        problem_of(response, 503, "queue-unavailable")
        assert response.headers["retry-after"] == "9"
        assert api.store.jobs.list() == []
        assert time.monotonic() - began < 5


def test_redis_may_come_and_go(new_api, store, cats, tmp_path):
    """While a real server is away cats are served and orders are not; afterwards both are."""
    put_into_service(store, 1)
    order = ORDER | {"model": "kittens"}  # what paints here is smaller than what is ordered
    valkey = EmbeddedValkey(tmp_path / "valkey").start()
    try:
        with new_api(redis_url=valkey.url) as api:
            job = api.post("/train", json=order).json()
            valkey.stop()
            problem_of(api.post("/train", json=order), 503, "queue-unavailable")
            with pytest.raises(QueueUnavailable):
                api.app.state.queue.submit(store.jobs.get(job["id"]))
            assert api.get("/cats?n=4").status_code == 200
            valkey.start()
            assert api.post("/train", json=order).status_code == 202
    finally:
        valkey.stop()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (Mode.READONLY, "it is read-only"),
        (Mode.OOM, "its memory is full"),
        (Mode.MISCONF, "it cannot write to its disk"),
        (Mode.LOADING, "it is still loading its data"),
        (Mode.NOAUTH, "it requires a password"),
        (Mode.HANG, "it does not respond in time"),
        (Mode.CUT, "the connection to it was lost"),
    ],
)
def test_a_redis_that_refuses_is_told_with_its_reason_and_nothing_is_ordered(
    new_api, cats, redis_url, mode, reason
):
    zipped = {"content-type": "application/zip"}
    with RedisProxy(redis_url) as proxy, new_api(redis_url=proxy.url, redis_timeout_s=0.3) as api:
        with proxy.during(mode):
            told = problem_of(api.post("/train", json=ORDER), 503, "queue-unavailable")
            assert reason in told["detail"]
            upload = api.post("/datasets/dogs?license=CC0-1.0", content=b"PK", headers=zipped)
            problem_of(upload, 503, "queue-unavailable")
            assert api.store.jobs.list() == []
        assert api.post("/train", json=ORDER).status_code == 202


def test_redis_refusing_in_between_loses_nothing(new_api, cats, redis_url, queued):
    """The check succeeds, queueing fails: the job is in the store, whence the reaper queues it."""
    with RedisProxy(redis_url) as proxy, new_api(redis_url=proxy.url) as api:
        with proxy.during(Mode.READONLY, only={"HSET", "SADD", "LPUSH", "RPUSH", *SCRIPTS}):
            response = api.post("/train", json=ORDER)
            assert response.status_code == 202
            assert proxy.counts["refused"] > 0
        settings, job = WorkerSettings(redis_url=redis_url), response.json()["id"]
        assert [job] not in [waiting.args for waiting in queued()]
        with redis.Redis.from_url(redis_url) as client:
            Reaper(api.store, client, settings).sweep()
        assert [waiting.args for waiting in queued()].count([job]) == 1


def test_a_move_is_announced(redis_url):
    queue = JobQueue(AppSettings(redis_url=redis_url))
    with redis.Redis.from_url(redis_url) as client, client.pubsub() as channel:
        channel.subscribe(ANNOUNCEMENTS)
        channel.get_message(timeout=5)  # the subscription itself
        assert queue.announce("dcgan")
        assert channel.get_message(timeout=5)["data"] == b'{"model": "dcgan"}'
    queue.close()


def test_an_announcement_that_fails_is_no_failure():
    queue = JobQueue(AppSettings(redis_url="unix:///nowhere/valkey.sock"))
    assert not queue.announce("dcgan")
    with pytest.raises(QueueUnavailable):
        queue.check()
