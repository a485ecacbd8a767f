"""A proxy in front of a Redis that misbehaves on command: for tests and for chaos.

    with RedisProxy(valkey.url) as proxy:
        client = connect(proxy.url)
        with proxy.during(Mode.READONLY):
            ...                           # reads succeed, writes are refused
        proxy.set(Mode.CUT)               # until it is set to something else

It speaks just enough of RESP 2 and 3 to tell where a command or a reply ends, so that each
command is forwarded, refused or lost as a whole, and `MULTI` fails as it does with a real server.
"""

import socket
import struct
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import quote, unquote, urlsplit

from redis import Redis


class Mode(StrEnum):
    """How the proxy treats its clients."""

    NORMAL = "normal"
    DELAY = "delay"  # each reply comes `delay_s` late
    HANG = "hang"  # commands are taken and never answered
    CUT = "cut"  # connections are closed, and new ones at once
    RESET = "reset"  # the same by RST, which fails sooner and elsewhere
    LOSE_REPLIES = "lose replies"  # commands take effect, then the connection is closed
    READONLY = "readonly"  # a failover: writes are refused
    OOM = "oom"  # maxmemory is reached: what needs memory is refused
    MISCONF = "misconf"  # the disk is full: writes are refused, and PING
    LOADING = "loading"  # it has just started: everything is refused
    NOAUTH = "noauth"  # its password was changed: everything is refused


SCRIPTS = frozenset({"EVAL", "EVALSHA", "FCALL"})  # taken for writes: all of Cattery's are

# The error line of each refusal, and the flag of the commands that it concerns ("" for all).
REFUSALS = {
    Mode.READONLY: ("READONLY You can't write against a read only replica.", "write"),
    Mode.OOM: ("OOM command not allowed when used memory > 'maxmemory'.", "denyoom"),
    Mode.MISCONF: (
        "MISCONF Errors writing to the AOF file: No space left on device",
        "write",
    ),
    Mode.LOADING: ("LOADING Valkey is loading the dataset in memory", ""),
    Mode.NOAUTH: ("NOAUTH Authentication required.", ""),
}
CLOSING = (Mode.CUT, Mode.RESET)


class RedisProxy:
    """A proxy that runs in threads from `__enter__` to `__exit__`.

    Args:
        target: URL of the real Redis, which must be reachable when the proxy starts.
        is_tcp: Whether to listen on a free TCP port of 127.0.0.1 rather than on a Unix socket.
        delay_s: The delay of `Mode.DELAY`, seconds.

    Attributes:
        url: Where clients connect to; holds the password of `target`.
        counts: Number of commands that were forwarded and refused.
    """

    def __init__(self, target: str, *, is_tcp: bool = False, delay_s: float = 0.2) -> None:
        self._given, self._target = target, urlsplit(target)
        self._is_tcp = is_tcp
        self._delay_s = delay_s
        self._mode = Mode.NORMAL
        self._only: frozenset[str] | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._ended = threading.Event()
        self.counts = {"forwarded": 0, "refused": 0}

    @property
    def mode(self) -> Mode:
        """How it treats its clients now."""
        return self._mode

    def set(self, mode: Mode, only: Collection[str] | None = None) -> None:
        """Change the mode for all connections, those that wait for a reply included.

        Args:
            mode: From now on.
            only: Names of commands that a refusal is limited to; None for all that it concerns.
        """
        with self._lock:
            self._mode = mode
            self._only = None if only is None else frozenset(name.upper() for name in only)
            self._changed.set()
            self._changed = threading.Event()
            closing = list(self._open) if mode in CLOSING else []
        for each in closing:
            _close(each, by_reset=mode is Mode.RESET)

    @contextmanager
    def during(self, mode: Mode, only: Collection[str] | None = None) -> Iterator[None]:
        """Use a mode within the block, and `Mode.NORMAL` afterwards."""
        self.set(mode, only)
        try:
            yield
        finally:
            self.set(Mode.NORMAL)

    def __enter__(self) -> Self:
        self._flags = self._ask_for_flags()
        if self._is_tcp:
            self._listener = socket.create_server(("127.0.0.1", 0))
            host, port = self._listener.getsockname()
            self.url = self._url("redis", f"{host}:{port}", self._target.path or "/0")
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="proxy-")
            path = Path(self._folder.name) / "redis.sock"
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.url = self._url("unix", "", quote(str(path)))
        threading.Thread(target=self._accept, name="redis-proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        _close(self._listener)
        self.set(Mode.CUT)
        if not self._is_tcp:
            self._folder.cleanup()

    def _url(self, scheme: str, address: str, path: str) -> str:
        user, at, _ = self._target.netloc.rpartition("@")
        return f"{scheme}://{user}{at}{address}{path}"

    def _ask_for_flags(self) -> dict[str, frozenset[str]]:
        """Return the flags of all commands, by their names in capitals."""
        with Redis.from_url(self._given) as redis:
            known = redis.command()
        flags = {name.upper(): frozenset(map(str, row["flags"])) for name, row in known.items()}
        assert "write" in flags["SET"]
        return flags | {name: frozenset({"write", "denyoom"}) for name in SCRIPTS}

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode in CLOSING:
                _close(client, by_reset=self._mode is Mode.RESET)
                continue
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Treat one client until either side closes."""
        try:
            server = self._connect()
        except OSError:  # the real one is down
            _close(client)
            return
        with self._lock:
            self._open |= {client, server}
        try:
            with client.makefile("rb") as commands, server.makefile("rb") as replies:
                _Conversation(self, client, server, replies).run(commands)
        except (OSError, EOFError, ValueError):
            pass  # one of both has gone: the other is closed below
        finally:
            with self._lock:
                self._open -= {client, server}
            _close(client)
            _close(server)

    def _connect(self) -> socket.socket:
        if self._target.scheme == "unix":
            server = socket.socket(socket.AF_UNIX)
            server.connect(unquote(self._target.path))
            return server
        return socket.create_connection((self._target.hostname, self._target.port or 6379))

    def refusal(self, name: str) -> str | None:
        """Return the error that a command gets now, or None if it is let through."""
        with self._lock:
            error, flag = REFUSALS.get(self._mode, ("", None))
            concerned = flag == "" or flag in self._flags.get(name, ())
            concerned |= self._mode is Mode.MISCONF and name == "PING"
            concerned &= self._only is None or name in self._only
            refused = bool(error) and concerned
            self.counts["refused" if refused else "forwarded"] += 1
        return error if refused else None

    def hold(self) -> Mode:
        """Wait as long as replies are held back; return the mode afterwards."""
        while True:
            with self._lock:
                mode, changed = self._mode, self._changed
            if mode is Mode.DELAY:
                changed.wait(self._delay_s)
            if mode is not Mode.HANG:
                return mode
            changed.wait()


class _Conversation:
    """The commands and replies of one connection, strictly in turns."""

    def __init__(
        self, proxy: RedisProxy, client: socket.socket, server: socket.socket, replies: BinaryIO
    ) -> None:
        self._proxy, self._client, self._server, self._replies = proxy, client, server, replies
        self._is_multi = self._is_spoiled = False

    def run(self, commands: BinaryIO) -> None:
        while True:
            command = read_frame(commands)
            name = _name_of(command)
            self._proxy.hold()
            error = self._proxy.refusal(name)
            if error is not None:
                self._is_spoiled |= self._is_multi
                self._client.sendall(f"-{error}\r\n".encode())
                continue
            reply = self._ask(command, name)
            if self._proxy.hold() is Mode.LOSE_REPLIES:
                return
            self._client.sendall(reply)
            if name in ("SUBSCRIBE", "PSUBSCRIBE"):
                self._follow(commands)
                return

    def _ask(self, command: bytes, name: str) -> bytes:
        """Return the server's reply to a command."""
        if name == "EXEC" and self._is_spoiled:
            self._server.sendall(b"*1\r\n$7\r\nDISCARD\r\n")
            read_frame(self._replies)
            reply = b"-EXECABORT Transaction discarded because of previous errors.\r\n"
        else:
            self._server.sendall(command)
            reply = read_frame(self._replies)
        if name in ("MULTI", "EXEC", "DISCARD"):
            self._is_multi, self._is_spoiled = name == "MULTI", False
        return reply

    def _follow(self, commands: BinaryIO) -> None:
        """Pass on whatever comes from either side: a subscriber hears without asking."""

        def hear() -> None:
            with suppress(OSError, EOFError, ValueError):
                while True:
                    message = read_frame(self._replies)
                    self._proxy.hold()
                    self._client.sendall(message)
            _close(self._client)

        threading.Thread(target=hear, daemon=True).start()
        while True:
            self._server.sendall(read_frame(commands))


def read_frame(stream: BinaryIO) -> bytes:
    """Return one whole RESP value; EOFError if the stream ends."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    kind, size = line[:1], line[1:-2]
    if kind in b"$=!" and size != b"-1":
        body = stream.read(int(size) + 2)
        if len(body) < int(size) + 2:
            raise EOFError
        return line + body
    if kind in b"*~>%|" and size != b"-1":
        count = int(size) * (2 if kind in b"%|" else 1) + (kind == b"|")
        return line + b"".join(read_frame(stream) for _ in range(count))
    return line


def _name_of(command: bytes) -> str:
    """Return the name of a command, in capitals."""
    return command.split(b"\r\n", 3)[2].decode().upper()


def _close(each: socket.socket, *, by_reset: bool = False) -> None:
    with suppress(OSError):
        if by_reset:  # no lingering: TCP sends RST; a Unix socket has nothing like it
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()
        each.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it, unlike close
    each.close()
