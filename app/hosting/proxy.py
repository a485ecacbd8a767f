"""An engine that lives in the engine host, for a front end to render with."""

import socket
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from app.errors import Busy, DeadlineExceeded
from app.hosting import wire
from app.hosting.failures import HostFailed, failure_of
from app.hosting.wire import Pixels
from models.errors import CatteryError, CheckpointError
from models.sampling import Point

T = TypeVar("T")

START_S = 60.0
"""How long a first load waits for the host to come up, seconds."""

RETURN_S = 10.0
"""How long a render waits for a host that has ended and is started again, seconds."""

LOAD_S = 300.0
"""How long loading and warming may take, seconds."""

PAUSE_S = 0.05
MARGIN_S = 5.0
"""How much longer than a deadline the host may be silent, seconds: it tells by itself."""


class Host:
    """The engine host as a front end sees it; `load` is an `EngineLoader`.

    Args:
        path: The host's socket.
        deadline_s: How long a batch may take, seconds.
        start_s: How long a load waits for the host, seconds.
        return_s: How long a render waits for it, seconds.
    """

    def __init__(
        self,
        path: Path,
        deadline_s: float,
        *,
        start_s: float = START_S,
        return_s: float = RETURN_S,
    ) -> None:
        self.path = path
        self.deadline_s = deadline_s
        self.return_s = return_s
        self._start_s = start_s
        self._is_closing = False

    def load(self, weights: Path, device: str, canonical: str = "") -> "HostedEngine":
        """Have the host load and warm an engine; blocks.

        Raises:
            CheckpointError, InvalidValue: As the host's own loader.
            Busy: There is no host.
        """
        order = {"weights": str(weights), "device": device, "canonical": canonical}
        first = self.waited(lambda: Connection(self, order), self._start_s)
        return HostedEngine(self, order, first)

    def waited(self, attempt: Callable[[], T], patience_s: float) -> T:
        """Return what an attempt returns, repeated while there is no host to answer it.

        Raises:
            Busy: There was none for all of the time.
            DeadlineExceeded: The host said nothing for too long.
        """
        until = monotonic() + patience_s
        while True:
            try:
                return attempt()
            except TimeoutError as err:
                raise DeadlineExceeded(self.deadline_s) from err
            except OSError as err:
                if self._is_closing or monotonic() >= until:
                    raise Busy("The engine is being started again.", retry_after_s=5) from err
            sleep(PAUSE_S)

    def close(self) -> None:
        """Wait for a host that is away no more; may be called from a signal handler."""
        self._is_closing = True


class Connection:
    """A connection that holds one engine in the host, for one thread at a time.

    Args:
        host: Whom to call.
        order: What to hold.

    Attributes:
        told: What the host said of the engine.

    Raises:
        CheckpointError, InvalidValue: The engine cannot be made.
        OSError: There is no host.
    """

    def __init__(self, host: Host, order: dict[str, str]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(LOAD_S)
            self._socket.connect(str(host.path))
            self.told, _ = self._ask(order)
            self._socket.settimeout(host.deadline_s + MARGIN_S)
        except BaseException:
            self.close()
            raise

    def render(self, points: Sequence[Point]) -> Pixels:
        """Return (N, H, W, 3) uint8, one picture per seed or place.

        Raises:
            CatteryError: As the host's batcher and engine.
            OSError: The connection is of no use any more.
        """
        _, pixels = self._ask({"points": wire.points_told(points)})
        if pixels is None or len(pixels) != len(points):
            raise wire.BrokenMessage("The host sent other pictures than were asked for.")
        return pixels

    def close(self) -> None:
        """Let go of the engine."""
        self._socket.close()

    def _ask(self, told: dict[str, Any]) -> tuple[dict[str, Any], Pixels | None]:
        for piece in wire.packed(told):
            self._socket.sendall(piece)
        answer, pixels = wire.receive(self._socket)
        if "failure" in answer:
            raise failure_of(answer["failure"])
        return answer, pixels


class HostedEngine:
    """An engine in the host (`app.slots.Engine`); may be called from several threads.

    It holds at least one connection, and so the engine, for as long as it exists. When the
    host was started again, it has its engine loaded again and goes on.

    Args:
        host: Where it lives.
        order: What the host makes it of.
        first: A connection that holds it.

    Attributes:
        name: Kind of engine and device.
        size_px: Side of its pictures, pixels.
        truncates: Whether its pictures depend on the latent's length.
        nbytes: What it holds on the device, bytes.
    """

    def __init__(self, host: Host, order: dict[str, str], first: Connection) -> None:
        self.name = str(first.told["name"])
        self.size_px = int(first.told["size_px"])
        self.truncates = bool(first.told["truncates"])
        self.nbytes = int(first.told["nbytes"])
        self._host = host
        self._order = order
        self._idle = [first]  # append and pop are atomic
        weakref.finalize(self, _close_all, self._idle)

    def warm(self) -> None:
        """Do nothing: the host has warmed it, once for all front ends."""

    def render(self, points: Sequence[Point]) -> Pixels:
        """Return (N, H, W, 3) uint8, one picture per seed or place; blocks.

        Raises:
            CatteryError: As the host's batcher and engine.
            Busy: The host is away, and did not come back in time.
            DeadlineExceeded: It did not answer in time.
        """
        return self._host.waited(lambda: self._rendered(points), self._host.return_s)

    def _rendered(self, points: Sequence[Point]) -> Pixels:
        connection = self._taken()
        try:
            pixels = connection.render(points)
        except (CatteryError, HostFailed):
            self._idle.append(connection)
            raise
        except BaseException as err:
            connection.close()
            if isinstance(err, ConnectionError):  # the host has ended: so have the others
                _close_all(self._idle)
            raise
        self._idle.append(connection)
        return pixels

    def _taken(self) -> Connection:
        """Return a connection that nobody uses now; after the host's end one to the new host."""
        with suppress(IndexError):
            return self._idle.pop()
        connection = Connection(self._host, self._order)
        if connection.told["name"] != self.name:
            connection.close()
            # ETags name the other engine: better no picture than one that is not theirs.
            raise CheckpointError(
                f"The engine host renders with {connection.told['name']} now, not {self.name}.",
                "Start the service again.",
            )
        return connection


def _close_all(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()
