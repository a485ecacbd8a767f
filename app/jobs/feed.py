"""The histories of all jobs as one stream of server-sent events.

What a client is told follows from its cursor and the store alone: a restart of the service, or
another front end, changes nothing for it. Only listing the jobs is shared among clients.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from app.jobs.cursor import Cursor, Place, Settled, is_young, state_of
from app.jobs.events import KEEP_ALIVE, in_format
from models.errors import Gone, NotFound, StoreError
from models.store import Store
from models.store.records import Event, JobRecord

log = logging.getLogger(__name__)

Records = Mapping[str, JobRecord]


class JobTable:
    """All jobs, listed at most once per interval, whoever asks.

    Args:
        store: The store; read in a thread.
        poll_s: The interval, seconds.
    """

    def __init__(self, store: Store, poll_s: float) -> None:
        self._store, self._poll_s = store, poll_s
        self._lock = asyncio.Lock()
        self._listed_at = float("-inf")
        self._records: Records = {}

    async def get(self) -> Records:
        """Return the jobs by id, newest first.

        Raises:
            StoreError: The store cannot be read.
        """
        async with self._lock:
            if monotonic() - self._listed_at >= self._poll_s:
                found = await asyncio.to_thread(self._store.jobs.list)
                self._records = {record.id: record for record in found}
                self._listed_at = monotonic()
            return self._records


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a stream waits.

    Attributes:
        poll_s: Interval between looks at the store, seconds.
        keep_alive_s: Maximum time without an event before a comment, seconds.
        stopping: Set when the service shuts down.
        has_left: Returns whether the client has disconnected.
    """

    poll_s: float
    keep_alive_s: float
    stopping: asyncio.Event
    has_left: Callable[[], Awaitable[bool]]


class Feed:
    """What one client is told.

    Args:
        store: The store; read in threads.
        jobs: Its jobs.
        view: Returns a job as clients see it, as JSON values.
        listing: Returns all jobs, given newest first, as clients see them, as JSON values.
    """

    def __init__(
        self,
        store: Store,
        jobs: JobTable,
        view: Callable[[JobRecord], Any],
        listing: Callable[[list[JobRecord]], Any],
    ) -> None:
        self._store, self._jobs = store, jobs
        self._view, self._listing = view, listing
        self._reached: dict[str, Place] = {}  # of the jobs that the client has been told of
        self._shown: dict[str, JobRecord] = {}  # as last compared with what the client has
        self._over: set[str] = set()  # the client has been told everything
        # Of the jobs in `_reached`: a store may hold thousands that are over, each event has a
        # cursor, and only these few can change how the next one differs from the last.
        self._named: dict[str, JobRecord] = {}
        self._settled = Settled()
        self._stamps: dict[str, Hashable] = {}

    async def follow(self, cursor: Cursor | None, pace: Pace) -> AsyncIterator[bytes]:
        """Yield what happens to all jobs, and comments in between.

        Args:
            cursor: Where the client stands; without one it first gets a snapshot.
            pace: How to wait.
        """
        sent_at, is_first = monotonic(), True
        while not (pace.stopping.is_set() or await pace.has_left()):
            try:
                records = await self._jobs.get()
                if is_first and not await asyncio.to_thread(self._resumed, cursor, records):
                    yield await asyncio.to_thread(self._snapshot, records)
                chunks = await asyncio.to_thread(self._batch, records)
            except StoreError as err:
                log.info("Stopped an event stream: %s", err)
                return  # the client comes again, with its cursor
            is_first = False
            for chunk in chunks:
                yield chunk
                sent_at = monotonic()
            # Proxies close silent connections, and only sending shows that a client is gone.
            if monotonic() - sent_at >= pace.keep_alive_s:
                yield KEEP_ALIVE
                sent_at = monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(pace.stopping.wait(), pace.poll_s)

    def _resumed(self, cursor: Cursor | None, records: Records) -> bool:
        """Go on from a cursor; return whether that is possible."""
        if cursor is None or not cursor.resumes(records.values()):
            return False
        self._shown = {job: record for job, record in records.items() if cursor.has_told(record)}
        self._over = set(self._shown)
        self._reached = dict.fromkeys(self._shown, Place()) | dict(cursor.reached)
        self._named = {job: record for job, record in records.items() if job in self._reached}
        return True

    def _snapshot(self, records: Records) -> bytes:
        """Return all jobs as they are now; what happens later follows as events."""
        # The numbers after the records: an event in between would otherwise be told twice, and
        # what it changed in a record is told anyway, as that differs from the one shown.
        self._reached = self._places(records)
        self._shown, self._named = dict(records), dict(records)
        self._over = {job for job, record in records.items() if record.status.has_ended}
        return self._wire("jobs", self._listing(list(records.values())))

    def _places(self, records: Records) -> dict[str, Place]:
        places = dict.fromkeys(records, Place())
        for job, record in records.items():
            # No cursor names the others, and a store may hold thousands.
            if not record.status.has_ended or is_young(record):
                with suppress(NotFound, Gone):  # deleted since it was listed
                    last = max((event.id for event in self._store.jobs.events(job)), default=0)
                    places[job] = Place(last, state_of(record))
        return places

    def _batch(self, records: Records) -> list[bytes]:
        return list(self._told(records, self._read(records)))

    def _read(self, records: Records) -> list[tuple[JobRecord, list[Event]]]:
        """Return the jobs that may have news, oldest first, with their new events."""
        news = []
        for job, record in reversed(list(records.items())):
            stamp = self._store.jobs.history_stamp(job) if job not in self._over else None
            is_same = self._shown.get(job) == record and job in self._reached
            if is_same and (job in self._over or stamp == self._stamps.get(job, object())):
                continue
            with suppress(NotFound, Gone):  # deleted since it was listed: told the next time
                last = self._reached.get(job, Place()).last
                events = [] if job in self._over else self._store.jobs.events(job, last)
                news.append((record, events))
                if stamp is not None:
                    self._stamps[job] = stamp
        return news

    def _told(self, records: Records, news: list[tuple[JobRecord, list[Event]]]) -> Iterator[bytes]:
        for job in [job for job in self._reached if job not in records]:
            for known in (self._reached, self._shown, self._stamps, self._named):
                known.pop(job, None)
            self._over.discard(job)
            self._settled.discard(job)
            yield self._wire("deleted", {"job": job})
        for record, events in news:
            yield from self._told_of(record, events)

    def _told_of(self, record: JobRecord, events: list[Event]) -> Iterator[bytes]:
        job = record.id
        self._shown[job] = record
        if job not in self._settled:
            self._named[job] = record
        place, state = self._reached.get(job, Place()), state_of(record)
        if place.state != state:
            place = self._reached[job] = Place(place.last, state)
            yield self._wire("job", self._view(record))
        for event in events:
            self._reached[job] = Place(event.id, state)
            data = {**event.data, "job": job, "seq": event.id, "at": event.at}
            yield self._wire(event.type, data)
        # Listed before its events were read: an ended job gets no more of them.
        if record.status.has_ended:
            self._over.add(job)

    def _wire(self, kind: str, data: Any) -> bytes:
        cursor = Cursor.at(self._named.values(), self._reached, self._over, self._settled)
        for job in self._named.keys() - cursor.reached.keys():
            del self._named[job]
        return in_format(str(cursor), kind, data)
