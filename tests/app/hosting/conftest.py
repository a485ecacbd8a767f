"""An engine host in a thread of the test, with engines that paint their version."""

import asyncio
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.hosting.host import EngineHost
from app.hosting.sockets import ENGINES
from app.inference.batcher import Batcher
from tests.app.fake_engine import PaintingEngine, load_painting

HELD_UP_S = 30.0


class Hosting:
    """A host that runs, and what it has loaded."""

    def __init__(self, folder: Path, load: Callable[..., PaintingEngine], lanes: int):
        self.path = folder / ENGINES
        self.loaded: list[PaintingEngine] = []
        self.host: EngineHost
        self._load = load
        self._lanes = lanes
        self._is_up = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._thread.start()
        assert self._is_up.wait(HELD_UP_S)

    def stop(self) -> None:
        """End it: its connections break, as when the process is killed."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(HELD_UP_S)

    def _make(self, weights, device, canonical):
        self.loaded.append(self._load(weights, device, canonical))
        return self.loaded[-1]

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self.host = EngineHost(Batcher(16, 1 << 20, 30.0, lanes=self._lanes), self._make)
        async with self.host.listening(self.path):
            self._is_up.set()
            await self._stopping.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory() as short:
        yield Path(short)


@pytest.fixture
def hosting(folder) -> Callable[..., Hosting]:
    """Return a context that yields a host in the folder; one after another, like processes."""

    @contextmanager
    def run(load=load_painting, lanes: int = 2) -> Iterator[Hosting]:
        one = Hosting(folder, load, lanes)
        one.start()
        try:
            yield one
        finally:
            for engine in one.loaded:
                engine.may_go.set()
            one.stop()

    return run


@pytest.fixture
def weights(tmp_path) -> Callable[..., Path]:
    """Return a function that writes the weights file of a version that paints a red."""

    def write(red: int = 10, **more) -> Path:
        path = tmp_path / f"{red}.safetensors"
        path.write_text(json.dumps({"red": red, **more}))
        return path

    return write
