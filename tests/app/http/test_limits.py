"""Tests of app.http.limits, app.jobs.quota and the refusals of clients that ask for too much."""

import asyncio
import io
import zipfile

import pytest
import redis
from starlette.requests import Request

from app.http.limits import Limit, Meter, Rates, network_of
from app.problems.errors import TooManyRequests
from models.store.keys import Scope
from models.store.records import JobStatus
from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from worker.redis_client import connect

LIMIT = Limit("cats", "cats", 1000, 60, "CATTERY_CATS_PER_MINUTE")


@pytest.fixture
def clean_redis(redis_url):
    """Return a client of an empty Valkey."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with connect(redis_url) as client:
        yield client


async def takes(meter: Meter, who: str, times: int, amount: int = 1) -> int:
    """Return how many of parallel requests are let through."""
    answers = await asyncio.gather(
        *(meter.take(who, amount) for _ in range(times)), return_exceptions=True
    )
    assert all(answer is None or isinstance(answer, TooManyRequests) for answer in answers)
    return answers.count(None)


@pytest.mark.parametrize("is_shared", [False, True])
async def test_parallel_requests_cannot_race_past_a_limit(clean_redis, is_shared):
    """Never more than the limit, and nearly all of it, whoever asks in whichever order."""
    meter = Meter(Rates(clean_redis if is_shared else None), LIMIT, in_advance=10)
    assert 900 <= await takes(meter, "a", 1500) <= 1000
    assert await takes(meter, "b", 10) == 10


async def test_several_front_ends_share_one_limit(clean_redis):
    meters = [Meter(Rates(clean_redis), LIMIT, in_advance=10) for _ in range(3)]
    passed = await asyncio.gather(*(takes(meter, "a", 1000) for meter in meters))
    assert 900 <= sum(passed) <= 1000


async def test_without_redis_each_front_end_counts_by_itself():
    """A Redis that is away costs one failed call in five seconds and lets nobody through freely."""
    meter = Meter(Rates(connect("redis://127.0.0.1:1/0", timeout_s=0.2)), LIMIT)
    assert 900 <= await takes(meter, "a", 1500) <= 1000


async def test_a_request_for_more_than_the_limit_takes_all_of_it():
    """It is let through once: it would otherwise be refused for ever."""
    meter = Meter(Rates(None), LIMIT)
    assert await takes(meter, "a", 2, amount=1280) == 1


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 500, "unknown"),
        ("", "unknown"),
    ],
)
def test_a_client_is_an_address_or_what_a_provider_gives_to_one(host, network):
    assert network_of(host) == network


def test_too_many_cats_are_refused_with_when_to_come_back(new_api, store):
    put_into_service(store, 1)
    with new_api(cats_per_minute=64) as api:
        assert api.get("/cats?n=64&format=json").status_code == 200
        for path in ("/cats", "/cats?n=3", "/cats?seed=1"):
            answer = api.get(path)
            document = problem_of(answer, 429, "too-many-requests")
            assert "CATTERY_CATS_PER_MINUTE" in document["remedy"]
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.headers["ratelimit-policy"] == '"cats";q=64;w=60'
            assert answer.headers["ratelimit"].startswith('"cats";r=0;t=')
            assert answer.headers["cache-control"] == "no-store"
        assert api.get("/recipes").status_code == 200


def test_permalinks_walks_and_head_count_as_well(new_api, store):
    version = put_into_service(store, 1).version
    with new_api(cats_per_minute=20) as api:
        model = api.get("/models").json()["models"][0]["name"]
        walk = f"/cats/{model}@{version}/walk/3-11.webp?frames=19"
        assert api.get(walk).status_code == 200
        assert api.ask("HEAD", f"/cats/{model}@{version}/1.png").status_code == 200
        problem_of(api.get(f"/cats/{model}@{version}/2.png"), 429)


def test_a_key_has_a_share_of_its_own_and_a_wrong_one_has_none(new_api, store):
    """A client cannot get another share by making keys up."""
    put_into_service(store, 1)
    _, token = store.keys.add("ci", [Scope.VOTE])
    with new_api(cats_per_minute=20) as api:
        assert api.get("/cats?n=20&format=json").status_code == 200
        for number in range(3):
            wrong = {"authorization": f"Bearer cattery_{number:012x}_{'a' * 43}"}
            problem_of(api.get("/cats", headers=wrong), 429)
        right = {"authorization": f"Bearer {token}"}
        assert api.get("/cats?n=20&format=json", headers=right).status_code == 200
        problem_of(api.get("/cats", headers=right), 429)


def test_limits_apply_where_keys_are_required(new_api, store):
    """Elsewhere the only client is the owner of the machine."""
    with new_api() as api:
        limits = api.app.state.limits
        assert (limits.cats, limits.votes, limits.uploads, limits.queued_jobs) == (None,) * 3 + (0,)
    store.keys.add("ci", [Scope.VOTE])
    with new_api(votes_per_minute=0) as api:
        limits = api.app.state.limits
        assert limits.cats.limit.amount == 6000
        assert limits.votes is None
        assert limits.queued_jobs == 20


def archive(size: int) -> bytes:
    """Return a zip file of about so many bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("cat.png", bytes(size))
    return buffer.getvalue()


ZIP = {"content-type": "application/zip"}


def test_uploads_are_counted_in_bytes(api_with, store):
    """What is declared is refused unread; what is not declared is counted as it arrives."""
    with api_with(upload_bytes_per_day=3 << 20) as api:
        assert api.post("/datasets/a", content=archive(1000), headers=ZIP).status_code == 202
        large = archive(4 << 20)
        problem_of(api.post("/datasets/b", content=large, headers=ZIP), 429)

        async def pieces():
            for start in range(0, len(large), 1 << 16):
                yield large[start : start + (1 << 16)]

        document = problem_of(api.post("/datasets/c", content=pieces(), headers=ZIP), 429)
        assert "CATTERY_UPLOAD_BYTES_PER_DAY" in document["remedy"]
    assert len(store.jobs.list()) == 1


def test_parallel_orders_cannot_race_past_the_quota(api_with, store):
    """Of twelve at once two are accepted; a place is free again once a job has ended."""
    with api_with(max_queued_jobs=2) as api:

        async def all_at_once():
            zips = [(f"/datasets/d{n}", archive(100)) for n in range(12)]
            calls = (api.client.post(path, content=body, headers=ZIP) for path, body in zips)
            return await asyncio.gather(*calls)

        statuses = sorted(answer.status_code for answer in api.run(all_at_once()))
        assert statuses == [202] * 2 + [429] * 10
        first = store.jobs.list()[0]
        api.post(f"/jobs/{first.id}/cancel")
        assert store.jobs.get(first.id).status is JobStatus.CANCELED
        assert api.post("/datasets/again", content=archive(100), headers=ZIP).status_code == 202
        answer = api.post("/datasets/more", content=archive(100), headers=ZIP)
        assert "CATTERY_MAX_QUEUED_JOBS" in problem_of(answer, 429)["remedy"]
        assert answer.headers["ratelimit-policy"] == '"jobs";q=2'


@pytest.fixture
def api_with(new_api, redis_url, clean_redis):
    """Return a maker of apps with an empty queue; settings by name."""
    return lambda **settings: new_api(redis_url=redis_url, **settings)


def test_the_client_of_a_request_without_an_address_is_still_one(new_api):
    with new_api() as api:
        request = Request({"type": "http", "headers": [], "client": None})
        assert api.run(api.app.state.limits.client(request)) == "unknown"
