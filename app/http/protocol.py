"""HTTP/1.1 for clients that may be slow, silent or many: uvicorn's protocol with deadlines.

Only what no setting of uvicorn does and no proxy in front would do better. One timer for each
connection looks at its deadlines; the path of a well-behaved request gains next to nothing.
"""

import logging
import resource
from asyncio import TimerHandle, Transport
from contextlib import suppress
from math import inf
from socket import IPPROTO_TCP, TCP_NOTSENT_LOWAT
from typing import Any, ClassVar, Literal

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.observability.metrics import Telemetry
from app.problems.errors import AppError, BadRequest, Busy, RequestTimeout, problem_response
from app.settings import AppSettings

log = logging.getLogger(__name__)

MIN_PROGRESS_BYTES = 32 << 10
"""What must move, of a body or a response, before its timeout starts anew.

Less would let a client that moves one byte a second stay for days.
"""

MAX_HEADER_BYTES = 64 << 10
"""Longest headers, and longest run of other bytes that are no body, such as trailers."""

MAX_PIPELINED = 16
"""Most requests of a connection that wait for the responses of those before them."""

UNSENT_KERNEL_BYTES = 64 << 10
"""Most bytes that the kernel takes ahead, so that a slow reader is seen to make progress."""

LINGER_S = 1.0
"""How long a refused client may read why; closing at once could reset the connection first."""

MAX_LINGERING = 64
"""Refused connections beyond the limit that may linger; more are closed at once."""

RESERVED_FILES = 256
"""Open files kept for all but connections: the store, Redis, lingering connections."""


def protocol_class(settings: AppSettings, telemetry: Telemetry) -> type["LimitedProtocol"]:
    """Return the protocol of one server, for `uvicorn.Config(http=...)`.

    Raises the process's limit of open files if the connections need more.

    Args:
        settings: The limits.
        telemetry: Where connections are counted.
    """
    most = _reserve_files(settings.max_connections)
    limits = settings.model_copy(update={"max_connections": most})
    timeouts_s = (limits.header_timeout_s, limits.body_timeout_s, limits.send_timeout_s)
    shared = {"limits": limits, "telemetry": telemetry, "check_s": min(1.0, min(timeouts_s) / 4)}
    return type("Protocol", (LimitedProtocol,), shared)


def _reserve_files(connections: int) -> int:
    """Raise the limit of open files for so many connections; return how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = max(1, soft - RESERVED_FILES)
    if allowed < connections:
        text = "Only %d of %d connections: at most %d files may be open. Raise `ulimit -n`."
        log.warning(text, allowed, connections, soft)
    return min(connections, allowed)


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        limits: Timeouts and the most connections.
        telemetry: Where connections are counted, and by reason those that were cut off.
        check_s: Time between two looks at the deadlines, seconds.
    """

    limits: ClassVar[AppSettings]
    telemetry: ClassVar[Telemetry]
    check_s: ClassVar[float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._is_refused = False
        self._awaited: Literal["header", "body"] | None = None  # from the client
        self._receive_by = self._send_by = inf  # the event loop's time, seconds
        self._body_bytes = 0  # since the body's timeout began
        self._other_bytes = 0  # since the last piece of a body, or the end of headers
        self._unsent = 0  # bytes that waited to be sent when sending last made progress

    @property
    def _is_running(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the deadlines, or refuse a connection too many."""
        super().connection_made(transport)
        self.telemetry.connections.set(len(self.connections))
        with suppress(OSError):  # a Unix socket has no such option
            connected = transport.get_extra_info("socket")
            connected.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_KERNEL_BYTES)
        self._await("header", self.limits.header_timeout_s)
        self._check()
        most = self.limits.max_connections
        if len(self.connections) > most + MAX_LINGERING:
            self._cut("too_many")
        elif len(self.connections) > most:
            error = Busy(f"All {most} connections are in use.", self.limits.retry_after_s)
            self._refuse("too_many", error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer, and tell the running request: uvicorn tells the one received last."""
        if self._timer is not None:
            self._timer.cancel()
        self._disconnect()
        super().connection_lost(exc)
        self.telemetry.connections.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, or of several."""
        if self._is_refused:
            return
        if self._awaited is None and not self._is_running:
            self._await("header", self.limits.header_timeout_s)
        self._other_bytes += len(data)
        super().data_received(data)
        if self._other_bytes > MAX_HEADER_BYTES and not self._is_refused:
            self.send_400_response(f"The headers are larger than {MAX_HEADER_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Begin a request, or queue it behind the running one."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise BadRequest("Too many pipelined requests.")
        super().on_headers_complete()
        self.headers = []  # trailers must not join headers that have been checked
        self._other_bytes = 0
        self._await("body", self.limits.body_timeout_s)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body; enough of them start its timeout anew."""
        super().on_body(body)
        self._other_bytes = 0
        self._body_bytes += len(body)
        if self._body_bytes >= MIN_PROGRESS_BYTES:
            self._await("body", self.limits.body_timeout_s)

    def on_message_complete(self) -> None:
        """Wait for nothing: between requests uvicorn's keep-alive timeout holds."""
        super().on_message_complete()
        self._awaited, self._receive_by = None, inf

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        """Note that nearly all has been sent, which uvicorn waited for to send more."""
        super().resume_writing()
        self._unsent = 0
        self._send_by = self.loop.time() + self.limits.send_timeout_s

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; uvicorn calls this when its parser fails."""
        self._refuse("invalid", BadRequest(msg))

    def _await(self, awaited: Literal["header", "body"], timeout_s: float) -> None:
        self._awaited, self._body_bytes = awaited, 0
        self._receive_by = self.loop.time() + timeout_s

    def _check(self) -> None:
        """Cut the client off if it has passed a deadline; check again after a while."""
        self._timer = self.loop.call_later(self.check_s, self._check)
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not unsent or self._unsent - unsent >= MIN_PROGRESS_BYTES:
            self._unsent, self._send_by = unsent, now + self.limits.send_timeout_s
        self._unsent = max(self._unsent, unsent)
        if now >= self._send_by:
            self._cut("send")
        elif self._is_waiting_for_us() and not self._is_refused:
            self._receive_by = max(self._receive_by, now + self.limits.body_timeout_s)
        elif now >= self._receive_by:
            self._expire()

    def _is_waiting_for_us(self) -> bool:
        """Whether the client cannot send, since the app does not read or has not agreed yet."""
        cycle = self.cycle
        return self.flow.read_paused or (cycle is not None and cycle.waiting_for_100_continue)

    def _expire(self) -> None:
        """End a connection whose headers or body are late, or that has lingered long enough."""
        if self._is_refused:
            self.transport.abort()
        elif self.cycle is None and not self._other_bytes:
            self._cut("header")  # a connection opened in advance expects no response
        elif self._awaited is not None:
            self._refuse(self._awaited, RequestTimeout(self._awaited))

    def _refuse(self, reason: str, error: AppError) -> None:
        """Answer in place of the app, unless a response has begun, and end the connection."""
        running = self._running
        has_begun = running is not None and running.response_started
        # A request whose body is still coming may have had its whole response: no second one.
        is_answered = has_begun and (self._awaited == "body" or self._is_running)
        if is_answered or self.transport.is_closing():
            self._cut(reason)
            return
        self.telemetry.connections_closed.labels(reason).inc()
        self._disconnect()
        response = problem_response(error)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%s: %s\r\n" % header for header in [*headers, (b"connection", b"close")]]
        head = STATUS_LINE[response.status_code] + b"".join(lines) + b"\r\n"
        self.transport.write(head + bytes(response.body))
        self.transport.write_eof()
        self._is_refused = True
        self.flow.resume_reading()  # what is left unread would reset the connection
        self._receive_by = self.loop.time() + LINGER_S

    def _cut(self, reason: str) -> None:
        self.telemetry.connections_closed.labels(reason).inc()
        self.transport.abort()

    def _disconnect(self) -> None:
        """Tell the running request that its client has left."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
