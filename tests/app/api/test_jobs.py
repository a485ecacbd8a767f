"""Tests of app.api.jobs and app.jobs.events."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from app.jobs.events import KEEP_ALIVE, follow, wire
from models.store.journal import Journal
from models.store.records import Event, ImportOrder, JobKind, JobStatus, Progress
from tests.app.client import problem_of
from tests.app.ordering import ORDER, add_dataset, ended_job, new_job
from tests.records import add_event, put_job


def events_of(text: str) -> list[tuple[int, str, dict]]:
    """Return id, type and data of each event of a stream."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_jobs_are_listed_newest_first_and_by_status(api):
    old = ended_job(api.store)
    young = new_job(api.store)
    listed = api.get("/jobs").json()
    assert [job["id"] for job in listed["jobs"]] == [young.id, old.id]
    narrowed = api.get("/jobs?status=finished&kind=train&limit=1").json()
    assert [job["id"] for job in narrowed["jobs"]] == [old.id]
    assert (narrowed["total"], listed["total"]) == (1, 2)


def test_a_job_tells_how_far_it_is(api):
    """Progress, losses and samples; a loss that is no number is null."""
    progress = Progress(kimg=3.5, kimg_total=10, eta_s=7, losses={"generator": float("nan")})
    told = {"progress": progress, "samples": ("2",), "version": "a" * 12}
    record = new_job(api.store, status=JobStatus.STARTED, **told)
    job = api.get(f"/jobs/{record.id}").json()
    assert job["progress"]["kimg"] == 3.5
    assert job["progress"]["losses"] == {"generator": None}
    assert job["links"]["samples"] == [f"/jobs/{record.id}/samples/2.png"]
    assert job["links"]["version"] == "/models/dcgan/versions/" + "a" * 12


def test_where_an_upload_lies_is_not_told_and_canceling_deletes_it(api, tmp_path):
    """Paths of this machine stay on it, and nobody will come for the file of a canceled import."""
    upload = tmp_path / "private.zip"
    upload.touch()
    order = ImportOrder(name="cats", source=str(upload), license="CC0")
    record, _ = api.store.jobs.create(JobKind.IMPORT, order)
    response = api.get(f"/jobs/{record.id}")
    order = response.json()["order"]
    assert (order["name"], order["license"], order["source"]) == ("cats", "CC0", "")
    assert "private" not in response.text
    api.post(f"/jobs/{record.id}/cancel")
    assert not upload.exists()


@pytest.mark.parametrize("path", ["", "/events", "/samples/1.png"])
def test_an_unknown_job_is_told_with_the_known_ones(api, path):
    record = new_job(api.store)
    document = problem_of(api.get(f"/jobs/20200101-000000-aaaaaa{path}"), 404, "not-found")
    assert document["known"] == [record.id]


def test_a_sample_is_sent_once(api):
    record = new_job(api.store, samples=("2",))
    api.store.jobs.save_sample(record.id, "2", b"a sheet")
    first = api.get(f"/jobs/{record.id}/samples/2.png")
    assert (first.content, first.headers["content-type"]) == (b"a sheet", "image/png")
    tag = {"if-none-match": first.headers["etag"]}
    again = api.get(f"/jobs/{record.id}/samples/2.png", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    problem_of(api.get(f"/jobs/{record.id}/samples/3.png"), 404, "not-found")


def test_a_waiting_job_is_canceled_at_once(api):
    record = new_job(api.store)
    response = api.post(f"/jobs/{record.id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "canceled")
    assert api.store.jobs.events(record.id)[-1].type == "canceled"
    problem_of(api.post(f"/jobs/{record.id}/cancel"), 409, "conflict")


@pytest.mark.parametrize("has_state", [True, False])
def test_a_job_with_something_to_publish_is_asked(api, has_state):
    """A running job, or one that waits to go on, is asked to stop and publishes its best."""
    record = new_job(api.store)
    if has_state:
        epoch = api.store.jobs.state(record.id).take()
        api.store.jobs.state(record.id).write(epoch, "weights", b"x")
    else:
        put_job(api.store, replace(record, status=JobStatus.STARTED))
    before = api.get(f"/jobs/{record.id}").json()["status"]
    assert api.post(f"/jobs/{record.id}/cancel").json()["status"] == before
    assert api.store.jobs.cancel_requested(record.id)


def test_only_ended_jobs_are_deleted(api):
    running, ended = new_job(api.store), ended_job(api.store)
    problem_of(api.delete(f"/jobs/{running.id}"), 409, "conflict")
    response = api.delete(f"/jobs/{ended.id}")
    assert (response.status_code, response.content) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("POST", "/cancel")):
        problem_of(api.ask(method, f"/jobs/{ended.id}{path}"), 410, "gone")


def test_an_ended_job_is_told_from_first_to_last(api):
    record = ended_job(api.store)
    response = api.get(f"/jobs/{record.id}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["cache-control"] == "no-store"
    told = events_of(response.text)
    assert [(number, kind) for number, kind, _ in told] == [(1, "queued"), (2, "finished")]
    assert all("at" in data for *_, data in told)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"last-event-id": "1"}),
        ("?last_event_id=1", {}),
        # A reconnecting EventSource repeats its first address and adds the header.
        ("?last_event_id=0", {"last-event-id": "1"}),
    ],
)
def test_a_stream_goes_on_after_the_last_event(api, query, headers):
    """Who has everything is told not to come again."""
    link = f"/jobs/{ended_job(api.store).id}/events"
    response = api.get(f"{link}{query}", headers=headers)
    assert [kind for _, kind, _ in events_of(response.text)] == ["finished"]
    nothing_more = api.get(link, headers={"last-event-id": "2"})
    assert (nothing_more.status_code, nothing_more.content) == (204, b"")


@pytest.mark.parametrize(
    ("query", "headers"), [("", {"last-event-id": ""}), ("?last_event_id=", {})]
)
def test_an_empty_event_id_is_none(api, query, headers):
    """What an EventSource has before the first event."""
    response = api.get(f"/jobs/{ended_job(api.store).id}/events{query}", headers=headers)
    assert response.status_code == 200, response.text
    assert [number for number, *_ in events_of(response.text)] == [1, 2]


def test_the_history_so_far_of_a_running_job_can_be_had_at_once(api):
    record = new_job(api.store, status=JobStatus.STARTED)
    add_event(api.store, record.id, "progress", {"kimg": 1})
    whole = api.get(f"/jobs/{record.id}/events?follow=false")
    assert [kind for _, kind, _ in events_of(whole.text)] == ["queued", "changed", "progress"]
    rest = api.get(f"/jobs/{record.id}/events?follow=false&last_event_id=2")
    assert [kind for _, kind, _ in events_of(rest.text)] == ["progress"]
    assert api.get(f"/jobs/{record.id}/events?follow=false&last_event_id=3").text == ""


@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
def test_an_event_id_is_a_number(api, value):
    response = api.get("/jobs/x/events", headers={"last-event-id": value})
    assert problem_of(response, 422)["field"] == "Last-Event-ID"


def test_an_event_cannot_break_out_of_its_lines():
    """Line breaks in what a job tells do not begin another field."""
    data = {"text": "x\n\nid: 9", "loss": float("nan")}
    sent = wire(Event(id=3, type="a\nb", at="now", data=data))
    assert sent.count(b"\n\n") == 1
    assert sent.startswith(b"id: 3\nevent: ab\ndata: {")
    assert b'"loss":null' in sent


def pace(**changes):
    """Return how to follow a job quickly, for a client that stays."""

    async def stays() -> bool:
        return False

    given: dict[str, Any] = {"poll_s": 0.01, "keep_alive_s": 60.0, "has_left": stays}
    return given | {"stopping": asyncio.Event()} | changes


async def test_events_come_as_they_happen(store):
    record = new_job(store)
    stream = follow(store, record.id, 0, **pace())
    seen = [await anext(stream)]
    add_event(store, record.id, "progress", {"kimg": 1})
    seen.append(await anext(stream))
    Journal(store.jobs.get(record.id), store).end(JobStatus.FAILED)
    seen += [chunk async for chunk in stream]
    told = [chunk.split(b"\n")[1].decode() for chunk in seen]
    assert told == ["event: queued", "event: progress", "event: failed"]


async def test_silence_is_filled_with_comments(store):
    """A proxy does not take a quiet stream for a dead one."""
    stream = follow(store, new_job(store).id, 1, **pace(keep_alive_s=0.01))
    assert await anext(stream) == KEEP_ALIVE


@pytest.mark.parametrize("why", ["hung up", "ending", "deleted"])
async def test_a_stream_ends_with_its_client_its_service_and_its_job(store, why):
    """Nobody follows a job for nobody."""
    record = new_job(store)
    stopping, leaves = asyncio.Event(), asyncio.Event()

    async def has_left() -> bool:
        return leaves.is_set()

    stream = follow(store, record.id, 0, **pace(stopping=stopping, has_left=has_left))
    await anext(stream)
    if why == "hung up":
        leaves.set()
    elif why == "ending":
        stopping.set()
    else:
        put_job(store, replace(record, status=JobStatus.CANCELED))
        store.jobs.delete(record.id)
    assert [chunk async for chunk in stream] == []


async def test_a_client_that_hangs_up_is_noticed(app, store):
    """The route itself ends when the connection does, though the job goes on."""
    record, arrived = new_job(store), asyncio.Event()
    sent: list[dict[str, Any]] = []

    async def receive():
        if not sent:
            return {"type": "http.request", "body": b"", "more_body": False}
        await arrived.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        arrived.set()

    asgi = {"version": "3.0", "spec_version": "2.4"}  # below 2.4 Starlette itself listens
    scope = {"type": "http", "asgi": asgi, "method": "GET", "query_string": b""}
    scope |= {"path": f"/jobs/{record.id}/events", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    assert sent[0]["status"] == 200


def test_an_estimate_checks_the_order_and_places_none(new_api, tmp_path):
    """Without Redis too: nothing is queued."""
    with new_api() as api:
        add_dataset(api.store, tmp_path)
        found = api.post("/train/estimate", json=ORDER)
        assert found.status_code == 200
        told = found.json()
        assert (told["order"]["model"], told["hyperparameters"]["batch"]) == ("dcgan", 64)
        assert (told["images"], told["epochs"], told["jobs_ahead"]) == (500, 2.0, 0)
        assert told["estimate"]["basis"].startswith("Unknown")
        assert "memorization" in told["warnings"][0]
        assert api.get("/jobs").json()["total"] == 0
        refused = api.post("/train/estimate", json=ORDER | {"overrides": {"batch": 512}})
        assert problem_of(refused, 422)["field"] == "dataset"


SECRET = "a secret of the tests, long enough"  # noqa: S105 - of no service
HOOK = "https://hooks.example.org/cattery?token=tell-nobody"


def test_an_order_may_have_a_webhook_which_nobody_is_shown(new_api, redis_url, tmp_path):
    """Looking at jobs needs no key, and the URL is often the only secret of a webhook."""
    with new_api(redis_url=redis_url, webhook_secret=SECRET) as api:
        add_dataset(api.store, tmp_path)
        headers = {"idempotency-key": "once"}
        for _ in range(2):
            answer = api.post("/train", json=ORDER | {"webhook": HOOK}, headers=headers)
            assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        assert api.store.webhooks.get(job).url == HOOK
        shown = answer.text + "".join(
            api.get(path).text
            for path in ("/jobs", f"/jobs/{job}", f"/jobs/{job}/events?follow=false")
        )
        assert "tell-nobody" not in shown


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example.org/", "https://127.0.0.1/", "https://169.254.169.254/latest"),
        *("https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://a@b.example/", "x"),
    ],
)
def test_a_webhook_must_be_public(new_api, redis_url, url, tmp_path):
    with new_api(redis_url=redis_url, webhook_secret=SECRET) as api:
        add_dataset(api.store, tmp_path)
        document = problem_of(api.post("/train", json=ORDER | {"webhook": url}), 422)
        assert document["field"] == "webhook"
        assert api.store.jobs.list() == []


def test_without_a_secret_a_webhook_is_refused(api, tmp_path):
    add_dataset(api.store, tmp_path)
    document = problem_of(api.post("/train", json=ORDER | {"webhook": HOOK}), 422)
    assert "CATTERY_WEBHOOK_SECRET" in document["detail"]
