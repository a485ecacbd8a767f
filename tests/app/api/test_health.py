"""Tests of app.api.health, app.api.recipes and app.main."""

import asyncio
import threading

import pytest

from models.errors import StoreError
from models.gan.recipes import RECIPES
from models.hyperparameters import LIMITS
from models.store.records import JobKind
from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from tests.records import training_order
from tests.worker.redis_proxy import Mode, RedisProxy


def test_life_depends_on_nothing(new_api, monkeypatch):
    with new_api() as api:
        monkeypatch.setattr(api.app.state, "store", None)
        monkeypatch.setattr(api.app.state, "queue", None)
        assert api.get("/healthz").json()["status"] == "alive"


def test_ready_when_cats_can_be_had(api):
    response = api.get("/readyz")
    document = problem_of(response, 503, "not-ready")
    assert document["missing"] == ["default_model: The model 'dcgan' is not in service."]
    assert response.headers["retry-after"] == "5"
    put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())
    ready = api.get("/readyz").json()
    assert ready["status"] == "ready"
    assert set(ready["checks"].values()) == {"ok"}


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
def test_monitors_may_ask_with_head(new_api, store, path):
    put_into_service(store, 1)
    with new_api() as api:
        head = api.ask("HEAD", path)
        assert head.status_code == 200
        assert head.headers["content-type"] == api.get(path).headers["content-type"]


def test_redis_away_is_told_and_no_reason_to_leave(new_api, store):
    put_into_service(store, 1)
    with new_api() as api:
        response = api.get("/readyz")
        assert response.status_code == 200
        assert "Redis" in response.json()["checks"]["queue"]


def test_a_generator_of_the_release_that_cannot_be_used_is_told(new_api, store, monkeypatch):
    """Cats are served without it; where they are not, it is named as a likely reason."""
    told = "The zoo's 'dcgan' was skipped: Its weights are damaged."
    with new_api() as api:
        monkeypatch.setattr(api.app.state, "zoo_problems", [told])
        missing = problem_of(api.get("/readyz"), 503, "not-ready")["missing"]
        assert missing == ["default_model: The model 'dcgan' is not in service.", f"zoo: {told}"]
        put_into_service(store, 1)
        api.run(api.app.state.pool.refresh_all())
        response = api.get("/readyz")
        assert response.status_code == 200
        assert response.json()["checks"]["zoo"] == told


def test_damaged_files_are_told_until_they_are_mended(api):
    """They are left out of lists, and are no reason to serve nobody."""
    put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())
    job = api.store.jobs.create(JobKind.TRAIN, training_order())[0].id
    path = f"jobs/{job}/job.json"
    api.store.tree.write(path, b"garbage")
    assert api.get("/jobs").json()["jobs"] == []
    response = api.get("/readyz")
    assert response.status_code == 200
    assert path in response.json()["checks"]["records"]
    assert "cattery doctor --repair" in response.json()["checks"]["records"]
    api.store.tree.write(path, api.store.tree.read(f"jobs/{job}/order.json"))
    assert api.get("/readyz").json()["checks"]["records"] == "ok"


def test_without_the_store_nothing_is_ready(api, monkeypatch):
    put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())

    def fail(_path):
        raise StoreError("The store is away.")

    monkeypatch.setattr(api.store.tree, "names", fail)
    document = problem_of(api.get("/readyz"), 503, "not-ready")
    assert document["missing"] == ["store: The store is away."]
    response = api.get("/models")
    problem_of(response, 503, "store-unavailable")
    assert response.headers["retry-after"] == "5"


async def test_a_store_that_hangs_does_not_hang_the_probes(serving, store, version, monkeypatch):
    """All of asyncio's threads are stuck in it, and both probes answer, however many ask."""
    may_go = threading.Event()
    async with serving() as (app, client):
        monkeypatch.setattr(app.state.store_probe, "_timeout_s", 0.2)
        monkeypatch.setattr(store.tree, "names", lambda _path: may_go.wait())
        stuck = [asyncio.create_task(asyncio.to_thread(may_go.wait)) for _ in range(100)]
        try:
            answers = await asyncio.gather(*(client.get("/readyz") for _ in range(40)))
            assert {answer.status_code for answer in answers} == {503}
            missing = "store: no response within 0.2 s."
            assert all(answer.json()["missing"] == [missing] for answer in answers)
            assert (await client.get("/healthz")).status_code == 200
        finally:
            may_go.set()
            await asyncio.gather(*stuck)


@pytest.mark.parametrize("mode", [Mode.READONLY, Mode.OOM, Mode.MISCONF])
def test_a_redis_that_refuses_writes_is_no_queue(new_api, store, redis_url, mode):
    """It answers to PING, and yet no job can be queued."""
    put_into_service(store, 1)
    with RedisProxy(redis_url) as proxy, new_api(redis_url=proxy.url) as api:
        assert api.get("/readyz").json()["checks"]["queue"] == "ok"
        with proxy.during(mode):
            response = api.get("/readyz")
        assert response.status_code == 200
        assert "The job queue (Redis) is unavailable: it" in response.json()["checks"]["queue"]


def test_a_note_on_the_queue_is_told(new_api, store, redis_url):
    """Such as files that were damaged and moved aside."""
    put_into_service(store, 1)
    with new_api(redis_url=redis_url) as api:
        api.app.state.queue.note = lambda: "It started empty."
        assert api.get("/readyz").json()["checks"]["queue"] == "It started empty."


def test_answers_are_counted(api):
    """Prometheus sees answers by route and status, what the gate refuses included."""
    api.get("/recipes")
    api.get("/recipes", headers={"host": "evil.example"})
    text = api.get("/metrics").text
    assert 'cattery_requests_total{method="GET",route="/recipes",status="200"} 1.0' in text
    assert 'status="403"' in text


def test_the_index_links_to_what_exists(api):
    """Every address on it answers, those of the cats worth a look among them."""
    put_into_service(api.store, 1, picks=(7, 23))
    api.run(api.app.state.pool.refresh_all())
    index = api.get("/").json()
    picks = dict(enumerate(index.pop("picks")))
    assert [link.rpartition("/")[2] for link in picks.values()] == ["7.png", "23.png"]
    assert api.get("/models").json()["models"][0]["picks"] == list(picks.values())
    links = picks | {name: link for name, link in index.items() if link.startswith("/")}
    assert "events" in links
    # HEAD: the stream of all jobs never ends.
    ask = {name: "HEAD" if name == "events" else "GET" for name in links}
    assert [it for it, link in links.items() if api.ask(ask[it], link).status_code != 200] == []


def test_recipes_are_the_table(api):
    told = {row["name"]: row for row in api.get("/recipes").json()["recipes"]}
    assert set(told) == set(RECIPES)
    for name, row in told.items():
        assert row["source"] == RECIPES[name].source
        assert set(row["limits"]) <= set(LIMITS)
        assert api.get(f"/recipes/{name}").json() == row


def test_an_unknown_recipe_is_told_with_the_known_ones(api):
    assert problem_of(api.get("/recipes/x"), 404)["known"] == sorted(RECIPES)


@pytest.mark.parametrize("path", ["/recipes/", "/models/"])
def test_a_slash_too_many_is_no_redirect(api, path):
    problem_of(api.get(path), 404)
