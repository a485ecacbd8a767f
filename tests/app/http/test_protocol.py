"""Tests of app.http.protocol: real sockets, short timeouts, an app of a few lines."""

import asyncio
import json
import resource
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.http import protocol
from app.http.protocol import MAX_HEADER_BYTES, MAX_PIPELINED, RESERVED_FILES, protocol_class
from app.settings import AppSettings

BIG = 8 << 20
"""Size of a response that no kernel takes from us at once, bytes."""

BRIEF_S = 0.2
CHUNKED = b"POST /upload HTTP/1.1\r\nHost: cattery\r\nTransfer-Encoding: chunked\r\n\r\n"


class Cattery:
    """An app to be slow, silent or many with."""

    def __init__(self):
        self.go_on = asyncio.Event()
        self.bodies: list[int | None] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.left = 0

    async def __call__(self, scope, receive, send):
        """Answer one request by its path; a body that does not end is remembered as None."""
        if scope["path"] == "/upload":
            self.bodies.append(await self._size(receive))
        if scope["path"] == "/wait":
            await self.go_on.wait()
        self.headers.append(dict(scope["headers"]))
        body = b"x" * BIG if scope["path"] == "/big" else scope["query_string"] or b"a cat"
        length = [(b"content-length", b"%d" % len(body))]
        headers = [] if scope["path"] == "/events" else length
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while scope["path"] == "/events" and not self.go_on.is_set():
            await send({"type": "http.response.body", "body": b":\n", "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    if (await receive())["type"] == "http.disconnect":
                        self.left += 1
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
        self.state = state
        self._telemetry = telemetry
        self._writers = []

    async def open(self, sent=b"", **options):
        """Return reader and writer of a new connection that has sent something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self._writers.append(writer)
        writer.write(sent)
        return reader, writer

    async def ask(self, path="/", connection=None):
        """Return the body of a response, from a new connection or one that is open."""
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
        """Return how many connections were cut off, by reason."""
        samples = next(iter(self._telemetry.connections_closed.collect())).samples
        return {s.labels["reason"]: s.value for s in samples if s.name.endswith("_total")}

    def close(self):
        """Hang up."""
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture(scope="module")
def anyio_backend():
    """Return the event loop of the product, whose sockets these tests are about."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def new_house(telemetry):
    """Return what opens houses with some limits; all of them are closed in the end."""
    async with AsyncExitStack() as houses:

        async def begin(**limits):
            return await houses.enter_async_context(house_of(AppSettings(**limits), telemetry))

        yield begin


@asynccontextmanager
async def house_of(settings, telemetry):
    """Listen until the end, and wait until no connection is left."""
    app, state, http = Cattery(), ServerState(), protocol_class(settings, telemetry)
    config = uvicorn.Config(app, log_config=None, http=http, ws="none")
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: http(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    house = House(app, server.sockets[0].getsockname()[1], state, telemetry)
    try:
        yield house
    finally:
        app.go_on.set()
        house.close()
        server.close()
        await house.until(lambda: not state.connections and not state.tasks)


def get(path="/"):
    return f"GET {path} HTTP/1.1\r\nHost: cattery\r\n\r\n".encode()


def length_of(head):
    lines = head.decode().lower().split("\r\n")
    return next(int(line[16:]) for line in lines if line.startswith("content-length: "))


def problem_in(response, status):
    """Return the document of a whole response that must be a problem and the last one."""
    head, _, body = response.partition(b"\r\n\r\n")
    headers = head.decode().lower().split("\r\n")
    assert headers[0].startswith(f"http/1.1 {status} ")
    assert "content-type: application/problem+json" in headers
    assert "connection: close" in headers
    assert length_of(head) == len(body)
    document = json.loads(body)
    assert document["status"] == status
    return document


async def test_headers_that_do_not_end_are_answered_with_408(new_house):
    """However slowly they come, byte by byte or not at all; others are served meanwhile."""
    house = await new_house(header_timeout_s=BRIEF_S)
    halting, _ = await house.open(b"GET / HTTP/1.1\r\n")
    dripping, dripping_writer = await house.open(b"GET /")
    silent, _ = await house.open()
    other = await house.open()

    async def drip():
        while not dripping_writer.is_closing():
            dripping_writer.write(b"x")
            assert await house.ask("/", other) == b"a cat"
            await asyncio.sleep(0.01)

    dripper = asyncio.create_task(drip())
    assert "CATTERY_HEADER_TIMEOUT_S" in problem_in(await halting.read(), 408)["remedy"]
    problem_in(await dripping.read(), 408)
    assert await silent.read() == b""
    dripping_writer.close()
    await dripper
    assert house.closed() == {"header": 3}


async def test_a_kept_connection_must_finish_what_it_begins(new_house):
    """It serves one request after the other; half a request, or an empty line, starts the timer."""
    house = await new_house(header_timeout_s=BRIEF_S)
    for beginning in (b"GET", b"\r\n"):
        reader, writer = await house.open()
        for _ in range(3):
            assert await house.ask("/", (reader, writer)) == b"a cat"
        writer.write(beginning)
        problem_in(await reader.read(), 408)


async def test_a_body_that_stops_coming_is_answered_with_408(new_house):
    """One that comes steadily arrives, though it takes several times as long as the timeout."""
    house = await new_house(body_timeout_s=BRIEF_S)
    post = b"POST /upload HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    stalled, _ = await house.open(post + b"12345")
    reader, writer = await house.open(post)
    for _ in range(10):
        writer.write(b"x" * 100_000)
        await asyncio.sleep(BRIEF_S / 4)
    assert (await reader.readuntil(b"a cat")).startswith(b"HTTP/1.1 200")
    assert "CATTERY_BODY_TIMEOUT_S" in problem_in(await stalled.read(), 408)["remedy"]
    assert house.closed() == {"body": 1}
    assert house.app.bodies == [None, 1_000_000]


async def test_a_body_that_nobody_reads_yet_is_not_late(new_house):
    """What the app is slow to ask for, or to agree to (100 Continue), is no fault of the client."""
    house = await new_house(body_timeout_s=BRIEF_S)
    head = b"POST /wait HTTP/1.1\r\nContent-Length: 1000000\r\n"
    paused, _ = await house.open(head + b"\r\n" + b"x" * 200_000)
    polite, _ = await house.open(head + b"Expect: 100-continue\r\n\r\n")
    stalled, _ = await house.open(b"POST /wait HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    problem_in(await stalled.read(), 408)
    await asyncio.sleep(2 * BRIEF_S)
    house.app.go_on.set()
    await paused.readuntil(b"a cat")
    await polite.readuntil(b"a cat")


async def test_a_slow_reader_is_cut_off(new_house):
    """A byte at a time is not enough; one who takes it steadily gets all of it."""
    house = await new_house(send_timeout_s=BRIEF_S)
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", house.port)) as slow:
        slow.setblocking(False)
        await loop.sock_sendall(slow, get("/big"))
        reader, _ = await house.open(get("/big"), limit=1 << 10)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(BIG >> 16):
            await reader.readexactly(1 << 16)
            await asyncio.sleep(0.01)
            with suppress(ConnectionResetError):
                await loop.sock_recv(slow, 1)
        await house.until(lambda: house.closed() == {"send": 1})
        await house.until(lambda: len(house.state.connections) == 1)


async def test_an_event_stream_outlives_all_timeouts(new_house):
    """Long and nearly silent, its bytes are taken, and it goes on until its client leaves."""
    timeouts = ("header_timeout_s", "body_timeout_s", "send_timeout_s")
    house = await new_house(**dict.fromkeys(timeouts, 0.05))
    reader, writer = await house.open(get("/events") + get("/events"))
    await reader.readuntil(b":\n")
    for _ in range(3):
        stalled, _ = await house.open(b"GET / HT")
        await stalled.read()
    await reader.readuntil(b":\n")
    assert house.closed() == {"header": 3}
    writer.transport.abort()  # heard by the one that runs, not by the one behind it
    await house.until(lambda: house.app.left == 1)


async def test_connections_over_the_limit_are_refused(new_house, monkeypatch):
    """503 with Retry-After to a few at a time, the others closed; who leaves makes room."""
    monkeypatch.setattr(protocol, "MAX_LINGERING", 2)
    monkeypatch.setattr(protocol, "LINGER_S", BRIEF_S)
    house = await new_house(max_connections=1, header_timeout_s=4 * BRIEF_S)
    kept = await house.open()
    assert await house.ask("/", kept) == b"a cat"
    refused = [await house.open(get()) for _ in range(2)]
    for reader, _ in refused:
        response = await reader.read()
        assert b"retry-after: 5" in response
        assert "All 1 connections" in problem_in(response, 503)["detail"]
    reader, _ = await house.open()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert house.closed() == {"too_many": 3}
    assert await house.ask("/", kept) == b"a cat"
    kept[1].close()
    await house.until(lambda: not house.state.connections)  # who lingers is closed, too
    assert await house.ask() == b"a cat"


async def test_pipelined_requests_are_answered_in_order(new_house):
    """Up to a number; more at once are refused instead of piling up in memory."""
    house = await new_house()
    reader, _ = await house.open(b"".join(get(f"/?{n}") for n in range(10, 20)))
    await reader.readuntil(b"19")
    reader, _ = await house.open(get() * (MAX_PIPELINED + 2))
    problem_in(await reader.read(), 400)
    assert house.closed() == {"invalid": 1}


@pytest.mark.parametrize(
    "beginning", [b"GET / HTTP/1.1\r\nX-Cat: ", CHUNKED + b"0\r\na: ", CHUNKED + b"1;"]
)
async def test_headers_trailers_and_the_like_do_not_grow_for_ever(new_house, beginning):
    """A bound on what is neither a body nor a complete header keeps memory bounded."""
    house = await new_house()
    reader, writer = await house.open(beginning)
    while not house.closed():
        writer.write(b"x" * 5000)
        await asyncio.sleep(0)
    assert str(MAX_HEADER_BYTES) in problem_in(await reader.read(), 400)["detail"]


async def test_a_trailer_does_not_join_the_headers(new_house):
    """They were checked before it came."""
    house = await new_house()
    reader, _ = await house.open(CHUNKED + b"1\r\nx\r\n0\r\nHost: other\r\n\r\n")
    await reader.readuntil(b"a cat")
    assert house.app.headers[0][b"host"] == b"cattery"
    assert house.app.bodies == [1]


async def test_what_is_not_http_is_answered_with_400(new_house):
    """Unless a response has begun, or was complete before its request: then it is the last one."""
    house = await new_house()
    reader, _ = await house.open(b"MEOW\r\n\r\n")
    problem_in(await reader.read(), 400)
    reader, writer = await house.open(CHUNKED.replace(b"/upload", b"/"))
    await reader.readuntil(b"a cat")
    writer.write(b"MEOW\r\n\r\n")
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert house.closed() == {"invalid": 2}


@pytest.mark.parametrize(
    ("sent", "end"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", b"content-length: 5\r\n\r\n"),
        (b"GET / HTTP/1.0\r\n\r\n", b"connection: close\r\n\r\na cat"),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", b"a cat"),
    ],
)
async def test_ordinary_clients_notice_nothing(new_house, sent, end):
    """HEAD, HTTP/1.0 and a declined upgrade work as ever."""
    house = await new_house()
    reader, _ = await house.open(sent)
    assert (await reader.readuntil(end)).startswith(b"HTTP/1.1 ")
    assert house.closed() == {}


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (4096, 4096, 1000, None),
        (1024, 8192, 1000, 1000 + RESERVED_FILES),
        (1024, resource.RLIM_INFINITY, 1000, 1000 + RESERVED_FILES),
        (1024, 1024, 1024 - RESERVED_FILES, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, None),
    ],
)
def test_there_are_no_more_connections_than_open_files(
    monkeypatch, telemetry, soft, hard, allowed, raised
):
    """The limit of open files is raised as far as needed; some are reserved for all else."""
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits[0]))
    http = protocol_class(AppSettings(max_connections=1000), telemetry)
    assert http.limits.max_connections == allowed
    assert calls == ([] if raised is None else [raised])


@pytest.mark.parametrize("path", ["/events", "/?x"])
async def test_a_client_of_http_1_0_gets_no_chunks(new_house, path):
    """It does not know them: without a length, the end is that of the connection."""
    house = await new_house()
    house.app.go_on.set()
    reader, _ = await house.open(f"GET {path} HTTP/1.0\r\nHost: cattery\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == (b"a cat" if path == "/events" else b"x")
