"""The engine host: one process that owns the device and renders for all front ends.

A connection belongs to one engine: its first message names the weights file, and the engine
stays loaded for as long as some connection holds it. So a front end that has ended, in
whatever way, holds nothing; and a host that was started again renders nothing before it was
told what with. The host knows nothing of the store.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from app.hosting import wire
from app.hosting.failures import failure_told
from app.inference.batcher import Batcher
from app.inference.slot import EngineLike, EngineLoader, Slot, load_engine
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from models.devices import pick_device
from models.inference.engine import enter_lane, lanes_of, least_share_of


@dataclass(frozen=True, slots=True)
class Order:
    """What an engine is made of: the same for all who ask for the same.

    Attributes:
        weights: Path of the weights file.
        device: Where to render, as in the settings.
        canonical: The engine that the version's card names; may be empty.
    """

    weights: str
    device: str
    canonical: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Order":
        """Return the order in a connection's first message."""
        return cls(*(str(told.get(name, "")) for name in ("weights", "device", "canonical")))


@dataclass(frozen=True, slots=True, eq=False)
class HostedSlot:
    """What the batcher needs of a slot; the same only as itself.

    Attributes:
        name: The weights file's path.
        model: Empty: front ends count pictures by model, the host does not know them.
        engine: Warm.
    """

    name: str
    engine: EngineLike
    model: str = ""


@dataclass(slots=True, eq=False)
class _Shared:
    loading: asyncio.Task[HostedSlot]
    holders: int = 0
    nbytes: int = 0  # once it is loaded


class SharedEngines:
    """Engines by what they are made of. Used from one event loop.

    Args:
        load: Makes an engine; called in one thread, for loading must not take the device
            from those who are served.

    Attributes:
        have_begun: Set when the first one is warm.
    """

    def __init__(self, load: EngineLoader) -> None:
        self.have_begun = asyncio.Event()
        self._load = load
        self._shared: dict[Order, _Shared] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="cattery-load")

    def __len__(self) -> int:
        """Return how many engines are held."""
        return len(self._shared)

    @property
    def nbytes(self) -> int:
        """What their weights hold on the device together, bytes."""
        return sum(shared.nbytes for shared in self._shared.values())

    @asynccontextmanager
    async def held(self, order: Order) -> AsyncIterator[HostedSlot]:
        """Hold an engine, loaded once for all; the last one to let go drops it.

        Raises:
            CheckpointError, InvalidValue: As `app.inference.slot.load_engine` and `Engine.warm`.
        """
        shared = self._shared.get(order)
        if shared is None:
            shared = self._shared[order] = _Shared(asyncio.create_task(self._loaded(order)))
            shared.loading.add_done_callback(_look_at_result)
        shared.holders += 1
        try:
            # Shielded: one who leaves must not spoil the load for the others.
            slot = await asyncio.shield(shared.loading)
            shared.nbytes = slot.engine.nbytes
            self.have_begun.set()
            yield slot
        finally:
            shared.holders -= 1
            if not shared.holders:
                del self._shared[order]

    def close(self) -> None:
        """Load nothing more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _loaded(self, order: Order) -> HostedSlot:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, self._make, order)

    def _make(self, order: Order) -> HostedSlot:
        engine = self._load(Path(order.weights), order.device, order.canonical)
        engine.warm()
        return HostedSlot(order.weights, engine)


class EngineHost:
    """Serves front ends at a Unix socket.

    Args:
        batcher: Gathers what all of them want rendered.
        load: Makes an engine of a weights file.
    """

    def __init__(self, batcher: Batcher, load: EngineLoader) -> None:
        self._batcher = batcher
        self.engines = SharedEngines(load)
        self._open: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Pictures that wait for a forward pass now."""
        return self._batcher.waiting

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Serve whoever connects to a socket, until the context ends."""
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._welcome, path)
        try:
            yield
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            self.engines.close()
            await self._batcher.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        with suppress(ConnectionError):
            try:
                told = await wire.read(reader)
                if told is not None:
                    await self._serve_engine(Order.of(told), reader, writer)
            finally:
                writer.close()

    async def _serve_engine(
        self, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answering: asyncio.Task[None] | None = None
        try:
            async with self.engines.held(order) as slot:
                await _send(writer, wire.packed(told_of(slot.engine)))
                try:
                    # Reads while it renders, so that a connection's end is seen at once.
                    while (told := await wire.read(reader)) is not None:
                        answering = asyncio.create_task(self._answer(slot, told, writer))
                finally:
                    if answering is not None:
                        answering.cancel()
        except ConnectionError:
            raise
        except Exception as err:  # noqa: BLE001 - raised again where it was asked for
            await _send(writer, wire.packed({"failure": failure_told(err)}))

    async def _answer(
        self, slot: HostedSlot, told: dict[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        try:
            points = wire.points_of(told.get("points"))
            # The batcher reads no card, and nobody could give the host one.
            pixels = await self._batcher.render(cast(Slot, slot), points)
            message = wire.packed({}, pixels)
        except Exception as err:  # noqa: BLE001 - raised again where it was asked for
            message = wire.packed({"failure": failure_told(err)})
        with suppress(ConnectionError):
            await _send(writer, message)


def host_for(settings: AppSettings, telemetry: Telemetry) -> EngineHost:
    """Return the engine host that settings ask for.

    Args:
        settings: The front ends'.
        telemetry: Where it counts.

    Raises:
        InvalidValue: There is no such device.
    """
    device = str(pick_device(settings.device))

    def load(weights: Path, _device: str, canonical: str) -> EngineLike:
        return load_engine(weights, device, canonical, wanted=settings.engine)

    batcher = Batcher(
        settings.max_batch,
        sys.maxsize,  # front ends bound what waits; what comes here is bounded by their lanes
        settings.deadline_s,
        lanes=lanes_of(device, settings.render_threads),
        least_share=least_share_of(device),
        prepare=enter_lane,
        telemetry=telemetry,
    )
    host = EngineHost(batcher, load)
    telemetry.device_bytes.set_function(lambda: host.engines.nbytes)
    return host


def told_of(engine: EngineLike) -> dict[str, Any]:
    """Return what a front end must know of an engine, as plain data."""
    return {
        "name": engine.name,
        "size_px": engine.size_px,
        "truncates": engine.truncates,
        "nbytes": engine.nbytes,
    }


async def _send(writer: asyncio.StreamWriter, pieces: list[bytes | memoryview]) -> None:
    writer.writelines(pieces)
    await writer.drain()


def _look_at_result(task: asyncio.Task[HostedSlot]) -> None:
    """Take note of a failure that nobody waits for any more, so that asyncio is silent."""
    if not task.cancelled():
        task.exception()
