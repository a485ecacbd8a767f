"""The processes of a whole Cattery, each started again whenever it has ended, as systemd would."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from benchmarks.chaos.faults import FULL
from benchmarks.serving.processes import free_port
from tests.worker.redis_proxy import RedisProxy
from worker.valkey import EmbeddedValkey

ROOT = Path(__file__).parents[2]
CHECK_S = 0.1
WORKERS = 3


class Member(Protocol):
    """A process that can be started again."""

    def alive(self) -> bool:
        """Return whether it runs."""

    def start(self) -> object:
        """Start it."""

    def pid(self) -> int:
        """Return its process id."""


class Valkey:
    """The queue's server."""

    def __init__(self, server: EmbeddedValkey) -> None:
        self._server = server

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._server.alive()

    def start(self) -> object:
        """Start it on the files of the last one."""
        self._server.stop()  # releases what the killed one left behind
        return self._server.start()

    def pid(self) -> int:
        """Return its process id."""
        process = self._server._process
        return process.pid if process else 0


class Process:
    """A front end or a worker.

    Args:
        words: What it runs.
        environment: Its variables.
        log: Gets its output.
    """

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "benchmarks.chaos.faults", *words]
        self._environment, self._log = environment, log
        self._process: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> object:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        return self

    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid if self._process else 0


class Fleet:
    """A Valkey, a proxy before it, a front end and three workers over one data folder.

    Args:
        folder: For data and logs.

    Attributes:
        data: The data folder.
        url: Where the front end answers.
        proxy: Between everybody and Valkey.
        restarts: How often a process was started again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.full = folder / "full"
        self._valkey = EmbeddedValkey(folder / "valkey")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.restarts = 0
        self._port = port
        self._ending = threading.Event()
        self._up = threading.Event()
        self._members: dict[str, Member] = {"valkey": Valkey(self._valkey)}
        # One thread starts all: Valkey ends with the thread that started it.
        self._keeper = threading.Thread(target=self._keep, name="keeper")

    def pid(self, name: str) -> int:
        """Return the id of a process: "valkey", "front end" or "worker 1"."""
        return self._members[name].pid()

    def workers(self) -> list[str]:
        """Return the names of the workers."""
        return [name for name in self._members if name.startswith("worker")]

    def job_processes(self) -> dict[int, str]:
        """Return the job processes by id, with the id of the job that each of them runs."""
        pids = [self.pid(name) for name in self.workers()]
        return {child: job for pid in pids for child, job in jobs_of(pid).items()}

    def kill_all(self) -> None:
        """End everything at once, as a power cut would."""
        pids = [*self.job_processes(), *(member.pid() for member in self._members.values())]
        for pid in pids:
            send(pid, signal.SIGKILL)

    def logs(self) -> str:
        """Return what all processes have printed."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    @contextmanager
    def running(self) -> Iterator["Fleet"]:
        """Keep everything running; end all of it afterwards."""
        self._keeper.start()
        self._up.wait()
        try:
            yield self
        finally:
            self._ending.set()
            self._keeper.join()

    def _keep(self) -> None:
        try:
            self._members["valkey"].start()
            with RedisProxy(self._valkey.url) as self.proxy:
                self._add_processes()
                self._up.set()
                while not self._ending.wait(CHECK_S):
                    for member in self._members.values():
                        if not member.alive():
                            member.start()
                            self.restarts += 1
        finally:
            self._up.set()
            self.kill_all()
            self._valkey.stop()

    def _add_processes(self) -> None:
        environment = {**os.environ, **self._settings()}  # noqa: TID251 - handed on, not read
        words: dict[str, tuple[str, ...]] = {"front end": ("serve", "--no-worker")}
        words |= {f"worker {number}": ("worker",) for number in range(1, WORKERS + 1)}
        for name, each in words.items():
            log = self.folder / f"{name.replace(' ', '-')}.log"
            member = self._members[name] = Process(each, environment, log)
            member.start()

    def _settings(self) -> dict[str, str]:
        return {
            "CATTERY_DATA": str(self.data),
            "CATTERY_REDIS_URL": self.proxy.url,
            "CATTERY_PORT": str(self._port),
            "CATTERY_LOAD": "lazy",  # every job has a model of its own
            "CATTERY_DEVICE": "cpu",
            "CATTERY_THREADS": "1",  # the number changes how sums are rounded
            "CATTERY_NICE": "0",
            "CATTERY_FAKES": "64",
            "CATTERY_CHECKPOINT_S": "1",
            "CATTERY_SHUTDOWN_S": "10",
            "CATTERY_MIN_FREE_MB": "1",
            "OMP_NUM_THREADS": "1",
            FULL: str(self.full),
        }


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if there is one."""
    if pid > 0:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def jobs_of(worker: int) -> dict[int, str]:
    """Return the job processes of a worker by id, with the id of their job."""
    return {
        child: words[-2].rpartition("-")[0]  # of the attempt, which has a number
        for child in _children(worker)
        if len(words := _words(child)) > 4
    }


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    return []
