"""A job's history as server-sent events, from any point to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from app.problems.json import encode, plain
from models.errors import Gone, NotFound, StoreError
from models.store import Store
from models.store.records import Event, JobStatus

log = logging.getLogger(__name__)

KEEP_ALIVE = b": still here\n\n"

_ENDS = frozenset(status.value for status in JobStatus if status.has_ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a job is followed.

    Attributes:
        poll_s: How often its history is looked at, seconds.
        keep_alive_s: Longest silence before a comment is sent, seconds.
        stopping: Set when the service ends.
        has_left: Says whether the client has hung up.
    """

    poll_s: float
    keep_alive_s: float
    stopping: asyncio.Event
    has_left: Callable[[], Awaitable[bool]]


def wire(event: Event) -> bytes:
    """Return an event as the text/event-stream format has it."""
    told = plain({**event.data, "at": event.at})
    kind = "".join(event.type.split())  # a line break would begin another field
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, kind.encode(), encode(told))


async def follow(store: Store, job: str, after: int, pace: Pace) -> AsyncIterator[bytes]:
    """Yield a job's events after an id until its last one; silence is filled with comments.

    Args:
        store: Read in a thread, never on the event loop.
        job: The job's id.
        after: Id of the last event that the client has, 0 for none.
        pace: How to look, and when to stop.
    """
    spoke_at, was_over = monotonic(), False
    while not (pace.stopping.is_set() or await pace.has_left()):
        try:
            # The record first: what is appended before a job has ended is then seen.
            is_over = (await asyncio.to_thread(store.jobs.get, job)).status.has_ended
            events = await asyncio.to_thread(store.jobs.events, job, after)
        except (NotFound, Gone, StoreError) as err:
            log.info("following job %s ends: %s", job, err)
            return
        for event in events:
            yield wire(event)
            after, spoke_at = event.id, monotonic()
        # One look more after the end: the last event may be written after the record.
        if is_over and (was_over or (events and events[-1].type in _ENDS)):
            return
        was_over = is_over
        if monotonic() - spoke_at >= pace.keep_alive_s:
            yield KEEP_ALIVE
            spoke_at = monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(pace.stopping.wait(), pace.poll_s)


async def is_all_told(store: Store, job: str, after: int) -> bool:
    """Whether a job has ended and the client has all of its events.

    Raises:
        NotFound, Gone: There is no such job.
    """
    record = await asyncio.to_thread(store.jobs.get, job)
    if not (record.status.has_ended and after):
        return False
    return not await asyncio.to_thread(store.jobs.events, job, after)
