"""Tests of the connections and the protocol: real sockets, tiny limits, an app of a few lines."""

import asyncio
import json
import resource
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from app.http import connections
from app.http.connections import RESERVE, room_for
from app.http.http11 import protocol_of
from app.http.patience import Reason
from app.settings import AppSettings

BIG = 8 << 20
"""Size of an answer that no kernel takes from us at once, bytes."""

BRIEF_S = 0.15

CHUNKED = b" HTTP/1.1\r\nHost: cattery\r\nTransfer-Encoding: chunked\r\n\r\n"
"""What follows a request's path where its body comes in chunks."""


class Cattery:
    """An app to be slow, silent or many with."""

    def __init__(self):
        self.go_on = asyncio.Event()
        self.bodies: list[int | None] = []
        self.waiting = 0

    async def __call__(self, scope, receive, send):
        """Answer one request by its path; a body that does not end is remembered as None."""
        if scope["path"] == "/upload":
            self.bodies.append(await self._size(receive))
        if scope["path"] == "/wait":
            self.waiting += 1
            await self.go_on.wait()
        body = b"x" * BIG if scope["path"] == "/big" else scope["query_string"] or b"a cat"
        headers = [(b"content-length", b"%d" % len(body))]
        if scope["path"] in ("/events", "/brim"):
            headers = []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while scope["path"] == "/brim" and not send.__self__.transport.get_write_buffer_size():
            await send({"type": "http.response.body", "body": b"x" * 8192, "more_body": True})
        while scope["path"] == "/events" and not self.go_on.is_set():
            await send({"type": "http.response.body", "body": b":\n", "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    if (await receive())["type"] == "http.disconnect":
                        return
        await send({"type": "http.response.body", "body": body})

    async def _size(self, receive):
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            size, more = size + len(message["body"]), message["more_body"]
        return size


class House:
    """A listening server and its clients."""

    def __init__(self, app, port, state, telemetry):
        self.app = app
        self.port = port
        self._state = state
        self._telemetry = telemetry
        self._writers = []

    async def open(self, sent=b"", **options):
        """Return reader and writer of a new connection that has sent something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self._writers.append(writer)
        writer.write(sent)
        return reader, writer

    async def ask(self, path="/", connection=None):
        """Return the body of an answer, from a new connection or one that is open."""
        reader, writer = connection or await self.open()
        writer.write(get(path))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        return await reader.readexactly(length_of(head))

    async def until(self, condition):
        """Wait until something is so."""
        while not condition():
            await asyncio.sleep(0.005)

    def closed(self):
        """Return how many connections were closed, by reason."""
        samples = next(iter(self._telemetry.connections_closed.collect())).samples
        return {s.labels["reason"]: s.value for s in samples if s.name.endswith("_total")}

    def open_ones(self):
        """Return how many connections are open."""
        return self._telemetry.connections._value.get()

    def connected(self):
        """Return how many connections there are, those that were refused included."""
        return len(self._state.connections)

    def client(self):
        """Return the only connection."""
        (client,) = self._state.connections
        return client

    def seconds_since_taken(self):
        """Return for how long the only client has not taken any of its answer, as far as seen."""
        client = self.client()
        return client.loop.time() - client.took_at

    def close(self):
        """Hang up."""
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
def inside(telemetry):
    """Return a runner of tests that are coroutines over a house with these limits."""

    @asynccontextmanager
    async def house_of(settings):
        app, state = Cattery(), ServerState()
        config = uvicorn.Config(app, log_config=None, http=protocol_of(settings, telemetry))
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),
            "127.0.0.1",
            0,
        )
        house = House(app, server.sockets[0].getsockname()[1], state, telemetry)
        try:
            yield house
        finally:
            app.go_on.set()
            house.close()
            server.close()
            await house.until(lambda: not state.connections and not state.tasks)

    def run(test, **limits):
        async def limited():
            async with asyncio.timeout(20), house_of(AppSettings(**limits)) as house:
                await test(house)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(limited())

    return run


def get(path="/"):
    """Return a whole request."""
    return f"GET {path} HTTP/1.1\r\nHost: cattery\r\n\r\n".encode()


def length_of(head):
    """Return an answer's Content-Length."""
    lines = head.decode().lower().split("\r\n")
    return next(int(line[16:]) for line in lines if line.startswith("content-length: "))


def problem_in(answer, status):
    """Return headers and document of a whole answer that must be a problem and the last one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = head.decode().lower().split("\r\n")
    assert headers[0].startswith(f"http/1.1 {status} ")
    assert "content-type: application/problem+json" in headers
    assert "connection: close" in headers
    assert length_of(head) == len(body)
    document = json.loads(body)
    assert document["status"] == status
    assert document["detail"]
    assert document["remedy"]
    return headers, document


def test_headers_that_do_not_end_are_answered_with_408(inside):
    """However slowly they come: byte by byte counts as little as silence, which is told nothing.

    Whoever asks properly is served meanwhile.
    """

    async def test(house):
        halting, halting_writer = await house.open(b"GET / HTTP/1.1\r\n")
        dripping, dripping_writer = await house.open(b"GET /")
        silent, _ = await house.open()
        other = await house.open()

        async def drip():
            while not dripping_writer.is_closing():
                dripping_writer.write(b"x")
                assert await house.ask("/", other) == b"a cat"
                await asyncio.sleep(0.01)

        dripper = asyncio.create_task(drip())
        _, document = problem_in(await halting.read(), 408)
        assert "CATTERY_HEADER_TIMEOUT_S" in document["remedy"]
        problem_in(await dripping.read(), 408)
        assert await silent.read() == b""
        dripping_writer.close()
        await dripper
        halting_writer.close()
        assert house.closed() == {Reason.HEADERS: 3}

    inside(test, header_timeout_s=BRIEF_S)


def test_a_connection_without_requests_is_kept_for_a_while(inside):
    """It serves one request after the other and is closed when none has come for long enough."""

    async def test(house):
        kept = await house.open()
        for _ in range(3):
            assert await house.ask("/", kept) == b"a cat"
        assert await kept[0].read() == b""
        assert house.closed() == {Reason.IDLE: 1}
        await house.until(lambda: house.open_ones() == 0)

    inside(test, keep_alive_s=BRIEF_S)


def test_a_body_that_stops_coming_is_answered_with_408(inside):
    """One that comes slowly but steadily arrives, though it takes several times as long."""

    async def test(house):
        post = b"POST /upload HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345"
        stalled, _ = await house.open(post)
        reader, writer = await house.open(post)
        for _ in range(4):
            await asyncio.sleep(BRIEF_S)
            writer.write(b"6")
        writer.write(b"7")
        assert (await reader.readuntil(b"a cat")).startswith(b"HTTP/1.1 200")
        _, document = problem_in(await stalled.read(), 408)
        assert "CATTERY_BODY_TIMEOUT_S" in document["remedy"]
        assert house.closed() == {Reason.BODY: 1}
        assert house.app.bodies == [None, 10]

    inside(test, body_timeout_s=2 * BRIEF_S, min_bytes_per_s=1)


def test_an_answer_that_is_not_taken_is_given_up(inside):
    """Its bytes are let go; a request that runs and one who takes slowly are not disturbed."""

    async def test(house):
        waiting, _ = await house.open(get("/wait"))
        _, refuser = await house.open(get("/big"), limit=1 << 10)
        refuser.transport.pause_reading()
        reader, _ = await house.open(get("/big"), limit=1 << 10)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(BIG >> 16):
            await reader.readexactly(1 << 16)
            await asyncio.sleep(0.005)
        await house.until(lambda: house.closed() == {Reason.ANSWER: 1})
        house.app.go_on.set()
        assert await waiting.readuntil(b"a cat")

    inside(test, send_timeout_s=BRIEF_S)


def test_an_event_stream_outlives_all_limits(inside):
    """Long and nearly silent, its bytes are taken, and it is let go on."""

    async def test(house):
        reader, _ = await house.open(get("/events"))
        await reader.readuntil(b":\n")
        stalled, _ = await house.open(b"GET / HT")
        for _ in range(3):
            await stalled.read()
            stalled, _ = await house.open(b"GET / HT")
        assert not reader.at_eof()
        assert house.closed() == {Reason.HEADERS: 3}

    limits = ("header_timeout_s", "body_timeout_s", "send_timeout_s", "keep_alive_s")
    inside(test, **dict.fromkeys(limits, 0.05))


def test_who_rests_longest_makes_room(inside):
    """A new connection is always served, at the cost of one without a request.

    Who had not asked yet is told to come again.
    """

    async def test(house):
        busy, _ = await house.open(get("/wait"))
        await house.until(lambda: house.app.waiting)
        silent, _ = await house.open()
        halting, _ = await house.open(b"GET / HTTP/1.1\r\n")
        kept = await house.open()
        assert await house.ask("/", kept) == b"a cat"
        for n, victim in enumerate((silent, halting), 1):
            assert await house.ask() == b"a cat"
            problem_in(await victim.read(), 503)
            assert house.closed() == {Reason.CROWDED: n}
        assert await house.ask("/", kept) == b"a cat"
        assert house.open_ones() == 4
        house.app.go_on.set()
        assert await busy.readuntil(b"a cat")

    inside(test, max_connections=4)


def test_who_has_taken_its_answer_rests(inside):
    """Even if the last bytes waited, too few to be told when they were sent."""

    async def test(house):
        reader, _ = await house.open(get("/brim"))
        piece = b""
        while not piece.endswith(b"0\r\n\r\n"):
            piece = piece[-4:] + await reader.read(1 << 16)
        assert await house.ask() == b"a cat"
        assert house.closed() == {Reason.CROWDED: 1}

    inside(test, max_connections=1)


def test_who_was_told_to_leave_does_not_rest(inside):
    """However late it takes the answer before: nothing more can be written to it."""

    async def test(house):
        reader, writer = await house.open(get("/big"), limit=1 << 10)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"MEOW\r\n\r\n")
        await house.until(house.closed)
        client = house.client()
        client.look(client.loop.time())
        problem_in((await reader.read())[BIG:], 400)
        assert client not in client.crowd.idle

    inside(test)


def test_where_nobody_rests_a_new_one_is_refused_at_once(inside, caplog):
    """503 with Retry-After, before it has asked, and a thousand of them are one line of log."""

    async def test(house):
        busy, _ = await house.open(get("/wait") + b"GET / HT")
        await house.until(lambda: house.app.waiting)
        for n in range(1, 101):
            refused, writer = await house.open(get() if n % 2 else b"")
            headers, document = problem_in(await refused.read(), 503)
            assert "retry-after: 5" in headers
            assert document["type"] == "urn:cattery:problem:busy"
            assert "All 1 connections" in document["detail"]
            assert house.closed() == {Reason.REFUSED: n}
            writer.close()
        house.app.go_on.set()
        assert await busy.readuntil(b"a cat")
        assert await house.ask() == b"a cat"
        await house.until(lambda: caplog.records)

    inside(test, max_connections=1, keep_alive_s=0.1)
    assert [record.name for record in caplog.records] == ["app.http.connections"]


def test_who_was_refused_and_does_not_leave_is_left(inside, monkeypatch):
    """There is a moment to read why, for a few at a time; what they still send is not heard."""
    monkeypatch.setattr(connections, "LINGERERS", 2)
    monkeypatch.setattr(connections, "LINGER_S", BRIEF_S)

    async def test(house):
        await house.open(get("/wait"))
        await house.until(lambda: house.app.waiting)
        refused = [await house.open() for _ in range(4)]
        for reader, writer in refused:
            problem_in(await reader.read(), 503)
            writer.write(get())
        await house.until(lambda: house.connected() <= 3)
        await house.until(lambda: house.connected() == 1)
        assert house.closed() == {Reason.REFUSED: 4}

    inside(test, max_connections=1, keep_alive_s=BRIEF_S)


def test_a_stream_of_events_makes_room_where_nobody_rests(inside, monkeypatch):
    """The oldest goes: whoever follows a job comes back by itself."""
    monkeypatch.setattr(connections, "STREAM_S", 0.0)

    async def test(house):
        streams = []
        for _ in range(2):
            streams.append((await house.open(get("/events")))[0])
            for _ in range(3):  # the third comes after a while, so that they differ in age
                await streams[-1].readuntil(b":\n")
        assert await house.ask() == b"a cat"
        await streams[0].read()
        assert house.closed() == {Reason.CROWDED: 1}
        assert not streams[1].at_eof()

    inside(test, max_connections=2)


def test_bytes_that_wait_for_all_clients_are_bounded(inside):
    """Past the limit the one goes that has taken none for longest; the last may be over it."""

    async def test(house):
        first, _ = await house.open(get("/big"), limit=1 << 10)
        await first.readuntil(b"\r\n\r\n")
        await house.until(lambda: house.seconds_since_taken() > 2 * BRIEF_S)
        second, _ = await house.open(get("/big"), limit=1 << 10)
        await second.readuntil(b"\r\n\r\n")
        assert house.closed() == {Reason.UNSENT: 1}
        assert len(await second.readexactly(BIG)) == BIG
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await first.readexactly(BIG)

    inside(test, max_unsent_bytes=1 << 20, keep_alive_s=BRIEF_S)


def test_pipelined_requests_are_answered_in_order(inside):
    """Up to the limit they wait for each other; beyond, the taken ones are answered as the last."""

    async def test(house):
        reader, _ = await house.open(b"".join(get(f"/?{n}") for n in range(10, 14)))
        await reader.readuntil(b"13")
        assert house.closed() == {}
        reader, _ = await house.open(b"".join(get(f"/?{n}") for n in range(10, 99)))
        answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
        assert [answer[-2:] for answer in answers] == [b"10", b"11", b"12", b"13"]
        assert [b"connection: close" in answer for answer in answers] == [False] * 3 + [True]
        assert house.closed() == {Reason.PIPELINED: 1}

    inside(test, max_pipelined=3)


def test_requests_do_not_pile_up_behind_one_that_runs(inside):
    """While requests wait, nothing is read, even if the one that runs asks for its body."""

    async def test(house):
        reader, writer = await house.open(get("/events") + get("/?2"))
        await reader.readuntil(b":\n")
        writer.write(get("/?3") * 1000)
        for _ in range(3):
            await reader.readuntil(b":\n")
        assert house.closed() == {}

    inside(test, max_pipelined=3)


def test_headers_without_end_are_answered_with_431(inside):
    """A client that sends a header for ever is told its limit."""

    async def test(house):
        reader, writer = await house.open(b"GET / HTTP/1.1\r\nX-Cat: ")
        while not house.closed():
            writer.write(b"x" * 500)
            await asyncio.sleep(0)
        _, document = problem_in(await reader.read(), 431)
        assert "1024 bytes" in document["detail"]
        assert house.closed() == {Reason.LONG_HEADERS: 1}

    inside(test, max_header_bytes=1024)


def test_trailers_are_not_taken(inside):
    """Not one: the headers were checked when the request began."""

    async def test(house):
        reader, _ = await house.open(b"GET /wait" + CHUNKED + b"0\r\na: b\r\n\r\n")
        _, document = problem_in(await reader.read(), 400)
        assert document["detail"] == "Trailers are not taken."
        assert house.closed() == {Reason.INVALID: 1}

    inside(test)


def test_a_trailer_without_end_is_answered_with_431(inside):
    """A body may be longer than that."""

    async def test(house):
        reader, writer = await house.open(b"POST /upload" + CHUNKED)
        for _ in range(4):
            writer.write(b"258\r\n" + b"x" * 600 + b"\r\n")
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")
        await reader.readuntil(b"a cat")
        assert house.app.bodies == [2400]
        writer.write(b"GET /wait" + CHUNKED + b"0\r\na: ")
        while not house.closed():
            writer.write(b"x" * 500)
            await asyncio.sleep(0)
        problem_in(await reader.read(), 431)
        assert house.closed() == {Reason.LONG_HEADERS: 1}

    inside(test, max_header_bytes=1024)


@pytest.mark.parametrize(
    ("trailer", "reason"),
    [(b"a: b\r\n\r\n", Reason.INVALID), (b"a: " + b"x" * 2000, Reason.LONG_HEADERS)],
)
def test_trailers_behind_an_answer_are_its_end(inside, trailer, reason):
    """There is no second answer to one request."""

    async def test(house):
        reader, writer = await house.open(b"GET /" + CHUNKED + b"0\r\n")
        await reader.readuntil(b"a cat")
        writer.write(trailer)
        assert await reader.read() == b""
        assert house.closed() == {reason: 1}

    inside(test, max_header_bytes=1024)


@pytest.mark.parametrize("whole", [1, 2])
@pytest.mark.parametrize("rest", [b"ZZ\r\n", b"0\r\na: b\r\n\r\n"])
def test_a_broken_request_takes_no_answer_from_whole_ones_before_it(inside, whole, rest):
    """They are answered, and the last answer is the last one."""

    async def test(house):
        broken = b"POST /upload" + CHUNKED + rest
        reader, _ = await house.open(get("/wait") * whole + broken)
        await house.until(house.closed)
        house.app.go_on.set()
        answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
        assert [answer[-5:] for answer in answers] == [b"a cat"] * whole
        assert b"connection: close" in answers[-1]
        assert house.closed() == {Reason.INVALID: 1}
        assert house.app.bodies == []

    inside(test)


def test_headers_without_end_take_no_answer_from_a_whole_request_before_them(inside):
    """Its answer is the last one."""

    async def test(house):
        reader, writer = await house.open(get("/wait") + b"GET / HTTP/1.1\r\n")
        await house.until(lambda: house.app.waiting)
        writer.write(b"X-Cat: " + b"x" * 1024)
        await house.until(house.closed)
        house.app.go_on.set()
        assert (await reader.read()).endswith(b"connection: close\r\n\r\na cat")
        assert house.closed() == {Reason.LONG_HEADERS: 1}

    inside(test, max_header_bytes=1024)


def test_what_is_no_http_is_answered_with_400(inside):
    """And does not take the answer from a whole request before it."""

    async def test(house):
        reader, _ = await house.open(b"MEOW\r\n\r\n")
        problem_in(await reader.read(), 400)
        reader, _ = await house.open(get() + b"MEOW\r\n\r\n")
        assert (await reader.read()).endswith(b"connection: close\r\n\r\na cat")
        assert house.closed() == {Reason.INVALID: 2}

    inside(test)


@pytest.mark.parametrize(
    ("sent", "end"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", b"content-length: 5\r\n\r\n"),
        (b"GET / HTTP/1.0\r\n\r\n", b"connection: close\r\n\r\na cat"),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", b"a cat"),
        (
            b"POST /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            b"Continue\r\n\r\n",
        ),
    ],
)
def test_ordinary_clients_notice_nothing(inside, sent, end):
    """HEAD, HTTP/1.0, a declined upgrade and an announced body work as ever."""

    async def test(house):
        reader, _ = await house.open(sent)
        assert (await reader.readuntil(end)).startswith(b"HTTP/1.1 ")
        assert house.closed() == {}

    inside(test)


def test_who_hangs_up_is_heard_though_more_requests_wait(inside):
    """The request that runs is told, and those behind it are never begun."""

    async def test(house):
        reader, writer = await house.open(b"POST /upload HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        await house.ask()
        writer.transport.abort()
        await house.until(lambda: house.app.bodies == [None])
        assert house.closed() == {}
        assert reader.at_eof()

    inside(test)


@pytest.mark.parametrize(
    ("soft", "hard", "most", "room", "raised"),
    [
        (4096, 4096, 1000, 1000, None),
        (1024, 8192, 1000, 1000, 1000 + RESERVE),
        (1024, resource.RLIM_INFINITY, 5000, 5000, 5000 + RESERVE),
        (1024, 1024, 1000, 1024 - RESERVE, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 9000, 9000, None),
    ],
)
def test_there_are_no_more_connections_than_files_may_be_open(
    monkeypatch, soft, hard, most, room, raised
):
    """The limit of open files is raised as far as needed; a reserve is left for all else."""
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits[0]))
    assert room_for(most) == room
    assert calls == ([] if raised is None else [raised])
