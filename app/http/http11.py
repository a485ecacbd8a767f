"""HTTP/1.1 with clients that may be slow, silent or many.

uvicorn's protocol with limits: a request's headers, its body and the taking of its answer are
waited for no longer than the settings say, and no more of a client is held than they allow.
What goes well costs next to nothing, for most is looked at once a second, by the crowd.
"""

from asyncio import Transport
from typing import Any, ClassVar

import httptools
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.http.connections import Crowd
from app.http.farewells import no_http, no_place, no_trailers, too_late, too_long, wire
from app.http.flow import Flow
from app.http.patience import Pace, Reason
from app.observability.metrics import Telemetry
from app.settings import AppSettings


def protocol_of(settings: AppSettings, telemetry: Telemetry) -> type["Http11"]:
    """Return the protocol of one server, for `uvicorn.Config(http=...)`; its limits are shared.

    Raises the process's limit of open files, if the connections need more.

    Args:
        settings: The limits.
        telemetry: Where connections are counted.
    """

    class Protocol(Http11):
        crowd = Crowd(settings, telemetry)

    return Protocol


class Http11(HttpToolsProtocol):
    """One connection.

    Attributes:
        crowd: All connections of the server.
        since: When it began to rest, or its request to run; the event loop's time, seconds.
        unsent: Bytes that wait for the client to take them, as last seen.
        took_at: When the client was last seen to take some, seconds.
    """

    crowd: ClassVar[Crowd]
    flow: Flow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.since = self.took_at = 0.0
        self.unsent = 0
        self._running: RequestResponseCycle | None = None
        self._is_deaf = False
        self._came = self._header_bytes = self._body_at = 0
        self._pending = self._taken = 0
        self._receiving, self._sending = Pace(), Pace()

    @property
    def is_streaming(self) -> bool:
        """Whether an answer has begun and waits for more to send."""
        running = self._running
        has_begun = running is not None and running.response_started
        return has_begun and self._is_running and not self.unsent

    @property
    def _is_running(self) -> bool:
        return self._running is not None and not self._running.response_complete

    @property
    def _is_past_headers(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Enter the crowd, or be told that there is no place."""
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        self.since = self.loop.time()
        if not self.crowd.enter(self):
            self.end(Reason.REFUSED, self._no_place())

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the crowd, and tell the request that runs: uvicorn tells the last one sent."""
        self._call_off()
        self.crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, or of several."""
        if self._is_deaf:
            return
        self._came += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the answer is an ordinary one, which is how an upgrade is declined
        except httptools.HttpParserError as err:
            own = err.__context__
            self._refuse(*(own.args if isinstance(own, _Refused) else (Reason.INVALID, no_http())))
            return
        if not self._is_past_headers:
            self._count_header(len(data))
        elif self.cycle.more_body:
            self._limit(self._came - self._body_at)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or refuse a trailer: what was checked of the headers holds for good."""
        if self._is_past_headers:
            raise _Refused(Reason.INVALID, no_trailers())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request, or keep it for later; stop where too many are kept."""
        if len(self.pipeline) >= self.crowd.settings.max_pipelined:
            raise _Refused(Reason.PIPELINED, no_http())
        self._header_bytes, self._body_at = 0, self._came
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, and note where it was."""
        self._body_at = self._came
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self.since = self.loop.time()
        self.crowd.idle.pop(self, None)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Begin the next request, or rest. No timer: the crowd looks how long that takes."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.transport.get_write_buffer_size():
            self.look(self.loop.time())  # too little, maybe, to be told when it has been sent
        else:
            self._rest()
        self.flow.resume_reading()

    def pause_writing(self) -> None:
        """Note that much waits to be sent; others may have to go for it."""
        super().pause_writing()
        now = self.loop.time()
        self.look(now)
        self.crowd.relieve(now)

    def resume_writing(self) -> None:
        """Note that most has been sent."""
        super().resume_writing()
        self.look(self.loop.time())

    def look(self, now: float) -> None:
        """See how much the client has taken.

        What the kernel holds counts as not taken: it asks for more in pieces so large that a
        slow client would seem to stand still between them.
        """
        unsent = self.transport.get_write_buffer_size()
        if not unsent and not self.unsent:
            return
        pending = unsent + (self.flow.queued() if unsent else 0)
        if not self.unsent:
            self.took_at = now
        elif pending < self._pending:
            self._taken += self._pending - pending
            self.took_at = now
        self.crowd.unsent += unsent - self.unsent
        self.unsent, self._pending = unsent, pending
        if not unsent:
            self._sending.restart()
            if not (self._is_running or self._is_deaf or self.transport.is_closing()):
                self._rest()

    def check(self, now: float) -> None:
        """End what takes longer than the settings allow."""
        limits = self.crowd.settings
        self.look(now)
        if self.unsent:
            least, window_s = limits.min_bytes_per_s, limits.send_timeout_s
            if self._sending.is_too_slow(now, self._taken, window_s, least):
                self.end(Reason.ANSWER)
        elif self.transport.is_closing():
            return
        elif not self._is_running:
            self._check_rest(now)
        elif self._awaits_body():
            least, window_s = limits.min_bytes_per_s, limits.body_timeout_s
            if self._receiving.is_too_slow(now, self._came, window_s, least):
                rate = f"at {least} bytes/s over {window_s:g} s"
                self.end(Reason.BODY, too_late("The body", rate, "CATTERY_BODY_TIMEOUT_S"))
        else:
            self._receiving.restart()

    def end(self, reason: Reason, farewell: Response | None = None) -> None:
        """Close at once, or after a farewell if no other answer has begun.

        Args:
            reason: What it is counted as.
            farewell: What the client is told.
        """
        has_begun = self._is_running and self._running and self._running.response_started
        self._is_deaf = True
        self._call_off()
        if farewell is None or has_begun or self.transport.is_closing():
            self.crowd.leave(self, reason)
            self.transport.abort()
            return
        self.transport.write(wire(farewell, self.server_state.default_headers))
        self.transport.write_eof()
        # Closed now, with a request on its way, the answer would be lost to a reset.
        self.flow.resume_reading()
        self.since = self.loop.time()
        self.crowd.linger(self, reason)

    def give_way(self) -> None:
        """Close for another's sake; who has not asked yet, or by half, is told to come again."""
        has_asked = self.cycle is not None and not self._header_bytes
        self.end(Reason.CROWDED, None if has_asked else self._no_place())

    def _no_place(self) -> Response:
        return no_place(self.crowd.most, self.crowd.settings.retry_after_s)

    def _rest(self) -> None:
        self.since = self.loop.time()
        self.crowd.idle[self] = None

    def _check_rest(self, now: float) -> None:
        """End a connection that rests: without a word, unless a request has begun."""
        limits, rested_s = self.crowd.settings, now - self.since
        if self._header_bytes:
            if rested_s >= limits.header_timeout_s:
                within = f"within {limits.header_timeout_s:g} s"
                late = too_late("The end of the headers", within, "CATTERY_HEADER_TIMEOUT_S")
                self.end(Reason.HEADERS, late)
        elif self.cycle is None:
            if rested_s >= limits.header_timeout_s:
                self.end(Reason.HEADERS)
        elif rested_s >= limits.keep_alive_s:
            self.end(Reason.IDLE)

    def _awaits_body(self) -> bool:
        """Whether it is the client's turn to send more of the body."""
        running = self._running
        if running is None or running is not self.cycle or not running.more_body:
            return False
        return not self.flow.read_paused and not running.waiting_for_100_continue

    def _count_header(self, came: int) -> None:
        """Count what came of headers that have no end yet."""
        if not self._header_bytes:
            if not self._is_running:
                self.since = self.loop.time()
            came = 1  # the piece that they begin in may hold the end of a body
        self._header_bytes += came
        self._limit(self._header_bytes)

    def _limit(self, came: int) -> None:
        """Refuse headers without end, or what is none of a body without end."""
        limit = self.crowd.settings.max_header_bytes
        if came > limit:
            self._refuse(Reason.LONG_HEADERS, too_long(limit))

    def _refuse(self, reason: Reason, farewell: Response) -> None:
        """Take nothing more; requests that came whole are still answered.

        Args:
            reason: What it is counted as.
            farewell: What the client is told if no such request is left.
        """
        running = self._running
        broken = self.cycle if self._is_past_headers else None
        if broken is not None and broken.response_complete:
            self.transport.close()
        elif running is None or running.response_complete or running is broken:
            self.end(reason, farewell)
            return
        else:
            if broken is not None:
                self.pipeline.popleft()
            last = self.pipeline[0][0] if self.pipeline else running
            last.keep_alive = False
        self._is_deaf = True
        self.crowd.count(reason)

    def _call_off(self) -> None:
        """Tell the request that runs that its client has left, and forget those after it."""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()


class _Refused(Exception):
    """What came is not taken: the reason and a farewell, for `_refuse`."""
