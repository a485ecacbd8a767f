"""All connections of one server: how many there may be, who goes first, and what is told of it."""

import logging
import resource
from asyncio import AbstractEventLoop
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from app.http.patience import Reason
from app.observability.metrics import Telemetry
from app.settings import AppSettings

if TYPE_CHECKING:
    from app.http.http11 import Http11

log = logging.getLogger(__name__)

RESERVE = 256
"""File descriptors kept for all else: the store's files, Redis, connections that linger."""

LINGERERS = 64
"""Most connections that have been told why they end and may still read it."""

LINGER_S = 2.0
"""How long they may, seconds."""

TELL_S = 10.0
"""Seconds between two lines of the log about connections that were closed."""

STREAM_S = 1.0
"""From what age, seconds, an answer that waits for more to send counts as a stream of events."""


def room_for(most: int) -> int:
    """Return how many connections there may be: as many as asked for, or as descriptors allow.

    Raises this process's limit of open files as far as that needs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = most + RESERVE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return most
    room = max(1, soft - RESERVE)
    log.warning(
        "CATTERY_MAX_CONNECTIONS is %d, but only %d files may be open: "
        "at most %d connections. Raise the limit (ulimit -n).",
        most,
        soft,
        room,
    )
    return room


class Crowd:
    """The connections of one server, looked at once a second while there are any.

    Args:
        settings: The limits.
        telemetry: Where they are counted.

    Attributes:
        settings: The limits.
        most: Most connections at a time.
        idle: Those without a request, the one that is so for longest first.
        unsent: Bytes that wait for clients to take them, as far as seen.
    """

    def __init__(self, settings: AppSettings, telemetry: Telemetry) -> None:
        self.settings = settings
        self.most = room_for(settings.max_connections)
        self.idle: OrderedDict[Http11, None] = OrderedDict()
        self.unsent = 0
        self._telemetry = telemetry
        self._members: set[Http11] = set()
        self._lingering: OrderedDict[Http11, None] = OrderedDict()
        self._untold: Counter[Reason] = Counter()
        self._tell_at = 0.0
        self._is_ticking = False
        self._is_full = False
        self._tick_s = min(
            1.0,
            settings.header_timeout_s / 4,
            settings.body_timeout_s / 4,
            settings.send_timeout_s / 4,
            settings.keep_alive_s / 4,
        )

    def enter(self, connection: "Http11") -> bool:
        """Take a new connection in, at the cost of one that rests; False if there is none."""
        self._begin_ticking(connection.loop)
        if len(self._members) >= self.most and not self._make_room(connection.loop.time()):
            return False
        self._members.add(connection)
        self.idle[connection] = None
        self._telemetry.connections.set(len(self._members))
        return True

    def leave(self, connection: "Http11", reason: Reason | None = None) -> None:
        """Count a connection out, and why if it was closed by the server."""
        self._members.discard(connection)
        self._lingering.pop(connection, None)
        self.idle.pop(connection, None)
        self.unsent -= connection.unsent
        connection.unsent = 0
        self._telemetry.connections.set(len(self._members))
        if reason is not None:
            self.count(reason)

    def linger(self, connection: "Http11", reason: Reason) -> None:
        """Count a connection out that was told why, and give it a moment to read that."""
        self.leave(connection, reason)
        self._lingering[connection] = None
        if len(self._lingering) > LINGERERS:
            self._lingering.popitem(last=False)[0].transport.abort()

    def count(self, reason: Reason) -> None:
        """Note that a connection was closed."""
        self._telemetry.connections_closed.labels(reason.value).inc()
        if reason is not Reason.IDLE:
            self._untold[reason] += 1

    def relieve(self, now: float) -> None:
        """Where too many bytes wait, close those that have taken none for longest.

        The last one stays: a single answer may be larger than the limit.
        """
        if self.unsent <= self.settings.max_unsent_bytes:
            return
        for member in list(self._members):
            member.look(now)
        holders = [member for member in self._members if member.unsent]
        holders.sort(key=lambda member: (member.took_at, -member.unsent))
        for member in holders[:-1]:
            if self.unsent <= self.settings.max_unsent_bytes:
                return
            member.end(Reason.UNSENT)

    def _make_room(self, now: float) -> bool:
        """Close the connection that has rested longest, or else the oldest stream of events.

        Whoever follows a stream comes back by itself, where there was its end.
        """
        oldest = next(iter(self.idle), None)
        if oldest is None and not self._is_full:
            for member in self._members:
                member.look(now)  # one may rest since its last bytes were taken
            streams = [m for m in self._members if m.is_streaming and now - m.since >= STREAM_S]
            oldest = next(iter(self.idle), None)
            oldest = oldest or min(streams, key=lambda member: member.since, default=None)
            self._is_full = oldest is None  # until the next tick: a crowd must cost little
        if oldest is None:
            return False
        oldest.give_way()
        return True

    def _begin_ticking(self, loop: AbstractEventLoop) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            loop.call_later(self._tick_s, self._tick, loop)

    def _tick(self, loop: AbstractEventLoop) -> None:
        """Look at all connections; again after a while, if there are any."""
        now = loop.time()
        self._is_full = False
        for member in list(self._members):
            member.check(now)
        for connection in [c for c in self._lingering if now - c.since >= LINGER_S]:
            del self._lingering[connection]
            connection.transport.abort()
        self.relieve(now)
        self._tell(now)
        self._is_ticking = False
        if self._members or self._lingering or self._untold:
            self._begin_ticking(loop)

    def _tell(self, now: float) -> None:
        if self._untold and now >= self._tell_at:
            counts = ", ".join(f"{reason} {n}" for reason, n in sorted(self._untold.items()))
            log.warning("Connections closed since the last such line: %s.", counts)
            self._untold.clear()
            self._tell_at = now + TELL_S
