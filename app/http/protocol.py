"""HTTP/1.1 with deadlines: uvicorn's protocol for clients that may be slow, silent or many.

Only what no setting of uvicorn does and no proxy in front would do better.
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

from app.http.framing import until_close
from app.http.headers import with_defaults
from app.observability.metrics import Telemetry
from app.problems.errors import AppError, BadRequest, Busy, RequestTimeout, problem_response
from app.settings import AppSettings

log = logging.getLogger(__name__)

# A body or a response must move this much before its timeout starts again: with less, a client
# that moves one byte per second could stay for days.
MIN_PROGRESS_BYTES = 32 << 10
MAX_HEADER_BYTES = 64 << 10  # also of anything else that is not a body, such as trailers
MAX_PIPELINED = 16  # requests that wait for the responses of those before them
# Linux would buffer megabytes for a slow reader, whose progress could not be seen from here.
UNSENT_KERNEL_BYTES = 64 << 10
LINGER_S = 1.0  # for a refused client to read why: closing at once could reset the connection
MAX_LINGERING = 64  # refused connections beyond the limit; more are closed at once
RESERVED_FILES = 256  # open files for everything else: the store, Redis, lingering connections


def protocol_class(settings: AppSettings, telemetry: Telemetry) -> type["LimitedProtocol"]:
    """Return the protocol of a server, for `uvicorn.Config(http=...)`.

    Raises the process's limit of open files if the connections need more.
    """
    most = _reserve_files(settings.max_connections)
    limits = settings.model_copy(update={"max_connections": most})
    timeouts_s = (limits.header_timeout_s, limits.body_timeout_s, limits.send_timeout_s)
    # Class attributes: uvicorn constructs the protocol itself, with arguments of its own.
    shared = {"limits": limits, "telemetry": telemetry, "check_s": min(1.0, min(timeouts_s) / 4)}
    return type("Protocol", (LimitedProtocol,), shared)


def _reserve_files(connections: int) -> int:
    """Raise the limit of open files for this many connections; return how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = max(1, soft - RESERVED_FILES)
    if allowed < connections:
        text = "Limited to %d of %d connections by %d open files. Raise `ulimit -Hn`."
        log.warning(text, allowed, connections, soft)
    return min(connections, allowed)


class LimitedProtocol(HttpToolsProtocol):
    """A connection."""

    limits: ClassVar[AppSettings]
    telemetry: ClassVar[Telemetry]
    check_s: ClassVar[float]  # interval at which the deadlines are checked, seconds

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._is_refused = False
        self._awaited: Literal["header", "body"] | None = None  # part of a request that is due
        self._receive_by = self._send_by = inf  # deadlines, on the event loop's clock
        self._body_bytes = 0  # since the timeout of the body started
        self._other_bytes = 0  # since the headers ended, or a body last arrived
        self._unsent = 0  # bytes in the send buffer when it last made progress

    @property
    def _is_running(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the deadlines; refuse the connection if there are too many."""
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
        """Stop the timer and tell the running request."""
        if self._timer is not None:
            self._timer.cancel()
        self._disconnect()  # uvicorn tells the request received last, which may be a pipelined one
        super().connection_lost(exc)
        self.telemetry.connections.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Parse a piece of one or several requests."""
        if self._is_refused:
            return
        if self._awaited is None and not self._is_running:
            self._await("header", self.limits.header_timeout_s)
        self._other_bytes += len(data)
        super().data_received(data)
        if self._other_bytes > MAX_HEADER_BYTES and not self._is_refused:
            self.send_400_response(f"The headers are larger than {MAX_HEADER_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Start a request, or queue it behind the running one."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise BadRequest("Too many pipelined requests.")
        super().on_headers_complete()
        self.headers = []  # or trailers would be added to headers that have been checked
        self._other_bytes = 0
        self._await("body", self.limits.body_timeout_s)

    def on_body(self, body: bytes) -> None:
        """Receive a piece of a body; enough of it restarts the timeout."""
        super().on_body(body)
        self._other_bytes = 0
        self._body_bytes += len(body)
        if self._body_bytes >= MIN_PROGRESS_BYTES:
            self._await("body", self.limits.body_timeout_s)

    def on_message_complete(self) -> None:
        """End the timeout of the body."""
        super().on_message_complete()
        self._awaited, self._receive_by = None, inf  # uvicorn's keep-alive timeout takes over

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if cycle.scope["http_version"] == "1.0":
            app = until_close(app, cycle)
        super()._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        """Restart the timeout of sending: the buffer is nearly empty, and uvicorn refills it."""
        super().resume_writing()
        self._unsent = 0
        self._send_by = self.loop.time() + self.limits.send_timeout_s

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, when uvicorn's parser fails."""
        self._refuse("invalid", BadRequest(msg))

    def _await(self, awaited: Literal["header", "body"], timeout_s: float) -> None:
        self._awaited, self._body_bytes = awaited, 0
        self._receive_by = self.loop.time() + timeout_s

    def _check(self) -> None:
        """Cut the client off if a deadline has passed, and schedule the next check."""
        # One timer per connection, not one per piece of data: a request of a client in good
        # health costs next to nothing.
        self._timer = self.loop.call_later(self.check_s, self._check)
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not unsent or self._unsent - unsent >= MIN_PROGRESS_BYTES:
            self._unsent, self._send_by = unsent, now + self.limits.send_timeout_s
        self._unsent = max(self._unsent, unsent)
        if now >= self._send_by:
            self._cut("send")
        # Postponed while the client cannot send: the app reads slowly, and that is not its fault.
        elif self._is_waiting_for_us() and not self._is_refused:
            self._receive_by = max(self._receive_by, now + self.limits.body_timeout_s)
        elif now >= self._receive_by:
            self._expire()

    def _is_waiting_for_us(self) -> bool:
        """Whether the client must wait: the app does not read, or has not sent 100 Continue."""
        cycle = self.cycle
        return self.flow.read_paused or (cycle is not None and cycle.waiting_for_100_continue)

    def _expire(self) -> None:
        """Refuse a late request, or close a connection that has lingered long enough."""
        if self._is_refused:
            self.transport.abort()
        elif self.cycle is None and not self._other_bytes:
            self._cut("header")  # browsers open connections in advance and expect no response
        elif self._awaited is not None:
            self._refuse(self._awaited, RequestTimeout(self._awaited))

    def _refuse(self, reason: str, error: AppError) -> None:
        """Respond in place of the app, unless a response has begun, and close the connection."""
        running = self._running
        has_begun = running is not None and running.response_started
        # While a body still arrives, its response may be complete: there must be no second one.
        is_answered = has_begun and (self._awaited == "body" or self._is_running)
        if is_answered or self.transport.is_closing():
            self._cut(reason)
            return
        self.telemetry.connections_closed.labels(reason).inc()
        self._disconnect()
        response = problem_response(error)
        headers = [*self.server_state.default_headers, *with_defaults(response.raw_headers)]
        lines = [b"%s: %s\r\n" % header for header in [*headers, (b"connection", b"close")]]
        head = STATUS_LINE[response.status_code] + b"".join(lines) + b"\r\n"
        self.transport.write(head + bytes(response.body))
        self.transport.write_eof()
        self._is_refused = True
        self.flow.resume_reading()  # closing with unread data would reset the connection
        self._receive_by = self.loop.time() + LINGER_S

    def _cut(self, reason: str) -> None:
        self.telemetry.connections_closed.labels(reason).inc()
        self.transport.abort()

    def _disconnect(self) -> None:
        """Tell the running request that its client has disconnected."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
