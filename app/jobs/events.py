"""A job's history as server-sent events, from any point to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from app.problems.json import encode, plain
from models.errors import Gone, NotFound, StoreError
from models.store import Store
from models.store.records import Event

log = logging.getLogger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"


def wire(event: Event) -> bytes:
    """Return an event in the format text/event-stream."""
    return in_format(str(event.id), event.type, {**event.data, "at": event.at})


def in_format(number: str, kind: str, data: Any) -> bytes:
    """Return an event in the format text/event-stream, given its id, type and data."""
    kind = "".join(kind.split())  # a line break would begin another field
    fields = (number.encode(), kind.encode(), encode(plain(data)))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % fields


async def follow(
    store: Store,
    job: str,
    after: int,
    *,
    poll_s: float,
    keep_alive_s: float,
    stopping: asyncio.Event,
    has_left: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """Yield a job's events after an id until its last one, and comments in between.

    Args:
        store: The store; read in a thread.
        job: The job's id.
        after: Id of the last event that the client has received, 0 for none.
        poll_s: Interval between reads of the history, seconds.
        keep_alive_s: Maximum time without an event before a comment, seconds.
        stopping: Set when the service shuts down.
        has_left: Returns whether the client has disconnected.
    """
    sent_at = monotonic()
    while not (stopping.is_set() or await has_left()):
        try:
            # The record first: all that it says is in the history that is read after it.
            has_ended = (await asyncio.to_thread(store.jobs.get, job)).status.has_ended
            events = await asyncio.to_thread(store.jobs.events, job, after)
        except (NotFound, Gone, StoreError) as err:
            log.info("Stopped following job %s: %s", job, err)
            return
        for event in events:
            yield wire(event)
            after, sent_at = event.id, monotonic()
        if has_ended:
            return
        # Proxies close silent connections, and only sending shows that a client is gone.
        if monotonic() - sent_at >= keep_alive_s:
            yield KEEP_ALIVE
            sent_at = monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), poll_s)


async def has_seen_all(store: Store, job: str, after: int) -> bool:
    """Return whether a job has ended and the client has received all of its events.

    Raises:
        NotFound, Gone: There is no such job.
    """
    record = await asyncio.to_thread(store.jobs.get, job)
    if not (record.status.has_ended and after):
        return False
    return not await asyncio.to_thread(store.jobs.events, job, after)
