"""A front end among others on its machine: how it renders, and what all of them count."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.hosting.figures import collected, summed, telling, told_by_front_end
from app.hosting.proxy import Host
from app.hosting.sockets import ENGINES, HOSTS_FIGURES, figures_of, figures_of_all
from app.inference.slot import EngineLike
from app.observability.metrics import Telemetry

LANES = 4
"""Batches that a front end has under way: some encoded here while others are at the host."""


class Sibling:
    """What a front end needs to be one of several.

    Args:
        folder: Where the sockets of the service are.
        number: This front end's, from 0.
        deadline_s: How long a batch may take, seconds.
    """

    def __init__(self, folder: Path, number: int, deadline_s: float) -> None:
        self._folder = folder
        self._number = number
        self._host = Host(folder / ENGINES, deadline_s)
        self._server: asyncio.Server | None = None

    def load(self, weights: Path, device: str, canonical: str) -> EngineLike:
        """Have the engine host load an engine (an `EngineLoader`).

        Raises:
            CatteryError: As `app.hosting.proxy.Host.load`.
        """
        return self._host.load(weights, device, canonical)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the others waiting: for what one must have done before the next one looks."""
        with (self._folder / "alone").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    async def start(self, telemetry: Telemetry) -> None:
        """Tell the others what this one counts; it is ready once it does."""
        path = self._folder / figures_of(self._number)
        self._server = await telling(path, lambda: told_by_front_end(telemetry.registry))

    def give_up(self) -> None:
        """Wait no more for the engine host; may be called from a signal handler."""
        self._host.close()

    async def close(self) -> None:
        """Wait for the engine host no more, and tell nothing more."""
        self.give_up()
        if self._server is not None:
            self._server.close()

    async def is_host_there(self) -> bool:
        """Return whether the engine host answers, without which there are no new pictures."""
        return bool(await collected([self._folder / HOSTS_FIGURES]))

    async def figures(self) -> bytes:
        """Return what all processes of the service count, in Prometheus' text format."""
        texts = await collected(figures_of_all(self._folder))
        return await asyncio.to_thread(summed, texts)
