"""Tests of app.jobs.feed and app.api.events: nothing lost, nothing told twice."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from app.jobs.cursor import NAMED_S, Cursor, Place
from app.jobs.feed import Feed, JobTable, Pace
from models.store.journal import Journal
from models.store.records import JobStatus
from tests.app.client import problem_of
from tests.app.ordering import ended_job, new_job
from tests.records import add_event, put_job

OLD = "2026-01-01T00:00:00.000000Z"


class Client:
    """Reads a feed as an EventSource does: it keeps the id of the last event."""

    def __init__(self, store, last_id=None):
        self.store = store
        self.last_id = last_id
        self.stopping = asyncio.Event()
        self.stream = self._open()

    def _open(self):
        async def stays() -> bool:
            return False

        pace = Pace(poll_s=0.01, keep_alive_s=60, stopping=self.stopping, has_left=stays)
        feed = Feed(
            self.store,
            JobTable(self.store, 0),
            lambda record: {"id": record.id, "status": record.status.value},
            lambda records: {"jobs": [record.id for record in records]},
        )
        return feed.follow(Cursor.parse(self.last_id or ""), pace)

    async def next(self):
        """Return type and data of the next event."""
        chunk = await asyncio.wait_for(anext(self.stream), 10)
        fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
        self.last_id = fields["id"]
        return fields["event"], json.loads(fields["data"])

    async def until(self, kind):
        """Return all events up to one of a type."""
        seen = [await self.next()]
        while seen[-1][0] != kind:
            seen.append(await self.next())
        return seen

    async def reconnect(self):
        """Lose the connection and come again, maybe to another process."""
        await self.stream.aclose()
        self.stream = self._open()


def history(events):
    return [(data["job"], data["seq"], kind) for kind, data in events if "seq" in data]


async def test_a_new_client_gets_a_snapshot_and_then_events(store):
    job = new_job(store)
    client = Client(store)
    assert await client.next() == ("jobs", {"jobs": [job.id]})
    add_event(store, job.id, "progress", {"kimg": 1})
    kind, data = await client.next()
    assert (kind, data["job"], data["seq"], data["kimg"]) == ("progress", job.id, 2, 1)


@pytest.mark.parametrize("every", [1, 2, 3])
async def test_whoever_loses_the_connection_after_any_event_misses_and_repeats_none(store, every):
    """Jobs begin, go on and end while the client is here and while it is away."""
    first = Journal(new_job(store), store)
    client = Client(store)
    await client.next()
    seen: list[tuple[str, dict]] = []
    number = 0
    for step in range(6):
        first.event("progress", {"kimg": step})
        second = Journal(new_job(store), store)
        second.start()
        second.end(JobStatus.FINISHED)
        while len(history(seen)) < (step + 1) * 4:
            seen.append(await client.next())
            number += 1
            if number % every == 0:
                await client.reconnect()
    told = history(seen)
    assert len(told) == len(set(told)) == 24
    states = [(data["id"], data["status"]) for kind, data in seen if kind == "job"]
    assert len(states) == len(set(states))  # a state is not repeated either
    assert sum(status == "finished" for _, status in states) == 6


async def test_the_last_state_of_a_job_arrives_though_the_connection_was_lost_before_it(
    store, monkeypatch
):
    """Jobs are listed before their events are read: a client may be told of an end before."""
    journal = Journal(new_job(store), store)
    client = Client(store)
    await client.next()
    before = store.jobs.list()
    journal.end(JobStatus.FINISHED)
    with monkeypatch.context() as patch:
        patch.setattr(store.jobs, "list", lambda: before)
        assert (await client.next())[0] == "finished"
        await client.reconnect()
    states = [data["status"] for kind, data in await client.until("job") if kind == "job"]
    if states != ["finished"]:  # the state from before, if the client was fast
        states += [(await client.next())[1]["status"]]
    assert states[-1] == "finished"


async def test_a_deleted_job_is_told_at_once_and_after_an_absence(store):
    jobs = [ended_job(store) for _ in range(2)]
    client = Client(store)
    await client.next()
    store.jobs.delete(jobs[0].id)
    assert await client.next() == ("deleted", {"job": jobs[0].id})
    await client.reconnect()
    store.jobs.delete(jobs[1].id)
    assert (await client.until("deleted"))[-1] == ("deleted", {"job": jobs[1].id})


async def test_an_old_job_that_was_deleted_meanwhile_leads_to_a_snapshot(store):
    old, kept = (
        put_job(store, replace(new_job(store), status=JobStatus.FINISHED, created_at=OLD))
        for _ in range(2)
    )
    client = Client(store)
    await client.next()
    journal = Journal(new_job(store), store)
    await client.until("queued")
    assert old.id.replace("-", ".") not in client.last_id  # no longer named
    store.jobs.delete(old.id)
    await client.reconnect()
    kind, data = await client.next()
    assert (kind, set(data["jobs"])) == ("jobs", {kept.id, journal.record.id})


async def test_an_event_looks_at_no_job_that_is_over(store, monkeypatch):
    """Each event has a cursor, and a store may hold thousands of jobs that have ended."""
    done = [
        put_job(store, replace(new_job(store), status=JobStatus.FINISHED, created_at=OLD))
        for _ in range(9)
    ]
    journal = Journal(new_job(store), store)
    client = Client(store)
    await client.next()
    looked_at: list[str] = []
    make: Any = Cursor.at.__func__  # type: ignore[attr-defined]

    def counting(cls, known, *others):
        known = list(known)
        looked_at.extend(record.id for record in known)
        return make(cls, known, *others)

    monkeypatch.setattr(Cursor, "at", classmethod(counting))
    journal.event("progress", {"kimg": 1})
    assert (await client.until("progress"))[-1][1]["kimg"] == 1
    assert set(looked_at) == {journal.record.id}
    known = [*done, journal.record]
    assert Cursor.parse(client.last_id).resumes(known)
    assert not Cursor.parse(client.last_id).resumes(known[1:])


def test_a_cursor_reads_as_it_was_written(store):
    jobs = [new_job(store), ended_job(store)]
    reached = {jobs[0].id: Place(3, 7), jobs[1].id: Place(2, 8)}
    made = Cursor.at(jobs, reached, {jobs[1].id})
    assert Cursor.parse(str(made)) == made
    assert made.reached == reached  # the ended one is younger than NAMED_S
    later = replace(made, made_s=made.made_s + int(NAMED_S) + 5, reached={jobs[0].id: Place(3, 7)})
    assert not later.resumes(jobs)


@pytest.mark.parametrize(
    "text", ["", "7", "1-many", "1-zz-a.1", "1-00000000-a", "1-00000000-a.b", "1-00000000-a.1.zz"]
)
def test_what_is_no_cursor_means_nothing(text):
    assert Cursor.parse(text) is None


def test_the_route_refuses_what_no_stream_has_sent(api):
    response = api.get("/events", headers={"last-event-id": "x y"})
    assert problem_of(response, 422)["field"] == "Last-Event-ID"
