"""How a front end calls the engine host: connections, each of which holds one engine there."""

import socket
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.hosting import wire
from app.hosting.failures import failure_of
from app.hosting.wire import Pixels
from models.inference.latents import Point

HEAR_S = 0.05
"""How long `hear` waits at a time, seconds: whoever is told to end notices between two."""


class StillLoading(OSError):
    """The host has not loaded the engine yet; the connection waits for it."""


class Connection:
    """A connection that holds one engine in the host, for one thread at a time.

    Args:
        path: The host's socket.
        order: What to hold; the host begins to load it.
        answer_s: How long the host may take for an answer, seconds.

    Attributes:
        told: What the host said of the engine; empty before it is loaded.

    Raises:
        OSError: There is no host.
    """

    def __init__(self, path: Path, order: dict[str, str], answer_s: float) -> None:
        self.told: dict[str, Any] = {}
        self._answer_s = answer_s
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(answer_s)
            self._socket.connect(str(path))
            self._say(order)
        except BaseException:
            self.close()
            raise

    def hear(self) -> None:
        """Hear what the host says of the engine; waits a moment, and may be called again.

        Raises:
            StillLoading: It has said nothing yet.
            CheckpointError, InvalidValue: The engine cannot be made.
            OSError: The connection is of no use any more.
        """
        if self.told:
            return
        self._socket.settimeout(HEAR_S)
        try:
            self._socket.recv(1, socket.MSG_PEEK)  # by looking, nothing of an answer is lost
        except TimeoutError as err:
            raise StillLoading("The engine is still being loaded.") from err
        self._socket.settimeout(self._answer_s)
        self.told, _ = self._answer()

    def render(self, points: Sequence[Point]) -> Pixels:
        """Return (N, H, W, 3) uint8, one picture per seed or place.

        Raises:
            CatteryError: As the host's batcher and engine.
            OSError: The connection is of no use any more.
        """
        self._say({"points": wire.points_told(points)})
        _, pixels = self._answer()
        if pixels is None or len(pixels) != len(points):
            raise wire.BrokenMessage("The host sent other pictures than were asked for.")
        return pixels

    def close(self) -> None:
        """Let go of the engine."""
        self._socket.close()

    def _say(self, told: dict[str, Any]) -> None:
        for piece in wire.packed(told):
            self._socket.sendall(piece)

    def _answer(self) -> tuple[dict[str, Any], Pixels | None]:
        answer, pixels = wire.receive(self._socket)
        if "failure" in answer:
            raise failure_of(answer["failure"])
        return answer, pixels


class Connections:
    """Connections that hold one engine, for several threads; closed when nobody has this.

    Args:
        path: The host's socket.
        order: What to hold.
        answer_s: How long the host may take for an answer, seconds.
    """

    def __init__(self, path: Path, order: dict[str, str], answer_s: float) -> None:
        self._path = path
        self._order = order
        self._answer_s = answer_s
        self._idle: list[Connection] = []  # append and pop are atomic
        weakref.finalize(self, close_all, self._idle)

    def call(self) -> None:
        """Have the host begin to load the engine.

        Raises:
            OSError: There is no host.
        """
        self.put_back(self._new())

    def taken(self) -> Connection:
        """Return a connection that nobody uses now; without one the host is called anew.

        Raises:
            CheckpointError, InvalidValue: The engine cannot be made.
            OSError: There is no host, or it has not loaded the engine yet.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._new()
        try:
            connection.hear()
        except StillLoading:
            self.put_back(connection)  # the host loads on, for whoever tries next
            raise
        except BaseException:
            connection.close()
            raise
        return connection

    def put_back(self, connection: Connection) -> None:
        """Let others use a connection."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close what nobody uses now."""
        close_all(self._idle)

    def _new(self) -> Connection:
        return Connection(self._path, self._order, self._answer_s)


def close_all(connections: list[Connection]) -> None:
    """Close connections and empty their list, which other threads may empty as well."""
    with suppress(IndexError):
        while True:
            connections.pop().close()
