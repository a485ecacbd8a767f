"""An engine that lives in the engine host, for a front end to render with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from app.hosting.calling import Connection, Connections, StillLoading
from app.hosting.failures import HostFailed
from app.hosting.wire import Pixels
from app.problems.errors import Busy, DeadlineExceeded
from models.errors import CatteryError, CheckpointError
from models.inference.latents import Point

T = TypeVar("T")

START_S = 60.0
"""How long a first load waits for the host to come up, seconds."""

RETURN_S = 10.0
"""How long a render waits for a host that has ended, is started again and loads, seconds."""

LOAD_S = 300.0
"""How long a first load may take, warming included, seconds."""

PAUSE_S = 0.05
MARGIN_S = 5.0
"""How much longer than a deadline the host may be silent, seconds: it tells by itself."""


class Host:
    """The engine host as a front end sees it; `load` is an `EngineLoader`.

    Args:
        path: The host's socket.
        deadline_s: How long a batch may take, seconds.
        start_s: How long a load waits for the host, seconds.
        return_s: How long a render waits for it, and for the engine to be loaded again, seconds.
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
            Busy: There is no host, or it loads for too long.
        """
        order = {"weights": str(weights), "device": device, "canonical": canonical}
        connections = Connections(self.path, order, self.deadline_s + MARGIN_S)
        self.waited(connections.call, self._start_s)
        first = self.waited(connections.taken, LOAD_S)
        connections.put_back(first)
        return HostedEngine(self, connections, first.told)

    def waited(self, attempt: Callable[[], T], patience_s: float) -> T:
        """Return what an attempt returns, repeated while there is no host or it still loads.

        Raises:
            Busy: That was so for all of the time.
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
                    raise _busy(err) from err
            sleep(PAUSE_S)

    def close(self) -> None:
        """Wait no more for a host that is away or loads; may be called from a signal handler."""
        self._is_closing = True


class HostedEngine:
    """An engine in the host (`app.inference.slot.EngineLike`); may be called from several threads.

    Its connections hold the engine there. One that breaks or whose answer is late is closed;
    when none is left, as after the host's end, the next render calls the host anew, which
    loads the engine again.

    Args:
        host: Where it lives.
        connections: They hold it.
        told: What the host said of it.

    Attributes:
        name: Kind of engine and device.
        size_px: Side of its pictures, pixels.
        truncates: Whether its pictures depend on the latent's length.
        nbytes: What it holds on the device, bytes.
    """

    def __init__(self, host: Host, connections: Connections, told: dict[str, Any]) -> None:
        self.name = str(told["name"])
        self.size_px = int(told["size_px"])
        self.truncates = bool(told["truncates"])
        self.nbytes = int(told["nbytes"])
        self._host = host
        self._connections = connections

    def warm(self) -> None:
        """Do nothing: the host has warmed it, once for all front ends."""

    def render(self, points: Sequence[Point]) -> Pixels:
        """Return (N, H, W, 3) uint8, one picture per seed or place; blocks.

        Raises:
            CatteryError: As the host's batcher and engine.
            Busy: The host is away or loads, and was not ready in time.
            DeadlineExceeded: It did not answer in time.
        """
        return self._host.waited(lambda: self._rendered(points), self._host.return_s)

    def _rendered(self, points: Sequence[Point]) -> Pixels:
        connection = self._taken()
        try:
            pixels = connection.render(points)
        except (CatteryError, HostFailed):
            self._connections.put_back(connection)
            raise
        except BaseException as err:
            connection.close()
            if isinstance(err, ConnectionError):  # the host has ended: so have the others
                self._connections.close()
            raise
        self._connections.put_back(connection)
        return pixels

    def _taken(self) -> Connection:
        connection = self._connections.taken()
        if connection.told["name"] != self.name:
            connection.close()
            # ETags name the other engine: better no picture than one that is not theirs.
            raise CheckpointError(
                f"The engine host renders with {connection.told['name']} now, not {self.name}.",
                "Start the service again.",
            )
        return connection


def _busy(err: OSError) -> Busy:
    detail = str(err) if isinstance(err, StillLoading) else "The engine is being started again."
    return Busy(detail, retry_after_s=5)
