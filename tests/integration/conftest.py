"""A whole Cattery in processes of its own: `cattery serve` on a free port."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from models.publishing.transfer import import_version
from models.store import Store
from models.store.records import Card
from tests.app.fake_engine import real_weights
from tests.integration.service import House
from tests.worker.redis_proxy import RedisProxy
from worker.redis_client import connect
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

START_S = 60.0
"""Longest wait for a start: most of it is importing torch, here twice on two busy cores."""


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = START_S) -> object:
    """Return what a condition returns as soon as that is true; fail after a time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"Waited {timeout_s} s for {what}.")
        time.sleep(0.02)
    return value


class Service:
    """One `cattery serve` and everything it starts; all of it lives below one folder."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / f"serve-{time.monotonic_ns()}.log"
        given = {"CATTERY_DATA": str(self.data), "CATTERY_PORT": "0", "CATTERY_FAKES": "64"}
        given |= settings
        inherited = os.environ  # noqa: TID251 - a child needs PATH and HOME
        kept = {k: v for k, v in inherited.items() if not k.startswith("CATTERY_")}
        with self.log_file.open("wb") as log:
            command = [sys.executable, "-P", "-m", "app.cli", "serve", *options]
            pipes: dict = {"stdin": subprocess.DEVNULL, "stderr": log, "stdout": log}
            self.process = subprocess.Popen(command, cwd=folder, env={**kept, **given}, **pipes)

    @property
    def log(self) -> str:
        """All that it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def url(self) -> str:
        """Where it answers, once it has said so."""
        return self.wait_for_line(r"starting on (\S+)")

    def wait_for_line(self, pattern: str) -> str:
        """Return the first group of the first match in the log."""

        def find() -> str | None:
            match = re.search(pattern, self.log)
            if match is None and self.process.poll() is not None:
                pytest.fail(f"It ended without {pattern!r}:\n{self.log}")
            return match and match.group(match.lastindex or 0)

        return str(wait_for(find, f"{pattern!r}"))

    def wait_until_ready(self) -> "Service":
        """Return when it says that it is ready."""
        self.wait_for_line("Ready after")
        return self

    def wait_for_end(self, timeout_s: float = START_S) -> int:
        """Return its exit status when it has ended."""
        return self.process.wait(timeout_s)

    def get(self, path: str) -> httpx.Response:
        """Send a GET request."""
        return httpx.get(self.url + path, timeout=30)

    def processes(self) -> dict[int, str]:
        """Return id and arguments of every process that lives in the folder, zombies left out."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                lives_here = (entry / "cwd").readlink().is_relative_to(self.folder)
                if entry.name.isdigit() and lives_here:
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended meanwhile, or is somebody else's
                continue
        return found

    def pid_of(self, words: str) -> int | None:
        """Return the id of the process that has these words in its arguments."""
        return next((pid for pid, line in self.processes().items() if words in line), None)

    def unfinished_files(self) -> list[Path]:
        """Return files that were being written, by name or folder, and sockets."""
        names = re.compile(r"/\.(tmp|probe)|\.(tmp|part|sock)$")
        files = [path for path in self.data.rglob("*") if not path.is_dir()]
        return [path for path in files if names.search(str(path.relative_to(self.data)))]

    def kill(self) -> None:
        """End everything at once, by id: for the end of a test, whatever came before."""
        for pid in [self.process.pid, *self.processes()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


@pytest.fixture(scope="session")
def stock() -> Callable[[Path], Card]:
    """Return a function that puts a random generator of 64 px into service in a data folder."""

    def into(data: Path) -> Card:
        store = Store.open(str(data / "store"))
        card = import_version(store, "dcgan", real_weights(1, 64, 8))
        store.aliases.promote("dcgan", card.version)
        return card

    return into


@pytest.fixture(scope="module")
def services() -> Iterator[Callable[..., Service]]:
    """Return a function that starts a service below a folder; all of them end with the module."""
    started: list[Service] = []

    def start(folder: Path, *options: str, **settings: str) -> Service:
        started.append(Service(folder, *options, **settings))
        return started[-1]

    yield start
    for service in started:
        service.kill()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    """Return a running Valkey, one for the tests of a module."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def proxy(valkey):
    """Return a proxy in front of an empty Valkey."""
    with closing(connect(valkey.url)) as client:
        client.flushall()
    with RedisProxy(valkey.url) as proxy:
        yield proxy


@pytest.fixture
def house(tmp_path, proxy):
    """Return workers that reach Redis by the proxy, and write into the file `log`."""
    settings = WorkerSettings(
        data=tmp_path, redis_url=proxy.url, lease_s=2, reap_s=0.5, min_free_mb=1
    )
    house = House(settings, Store.open(settings.store_url), log=tmp_path / "log")
    yield house
    house.close()
