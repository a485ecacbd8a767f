"""Servers as processes: pinned to cores, watched for memory, ended whatever happens."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from benchmarks.service import wait_for

PR_SET_CHILD_SUBREAPER = 36
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
GRACE_S = 15.0
SAMPLE_S = 0.2
MOST_SAID_BYTES = 4000


def adopt_orphans() -> None:
    """Become the parent of what a server's processes leave behind, so that it can be ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """Let this thread, and so what it starts meanwhile, run on some cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(
    command: Sequence[str], cores: Collection[int], variables: Mapping[str, str], cwd: Path
) -> Iterator["Running"]:
    """Start a server and end all of its processes afterwards.

    Args:
        command: What starts it.
        cores: Where it may run.
        variables: Added to the environment.
        cwd: Where it is started.
    """
    environment = {**os.environ, **variables}  # noqa: TID251 - handed on, not read
    before = tree(os.getpid())
    with tempfile.TemporaryFile() as log:
        with pinned(cores):
            process = subprocess.Popen(
                command, env=environment, cwd=cwd, stdout=log, stderr=log, start_new_session=True
            )
        server = Running(process, log)
        try:
            yield server
        finally:
            server.end()
            # Orphans of it have become ours (`adopt_orphans`).
            _kill_all(tree(os.getpid()) - before)


class Running:
    """A server and its processes.

    Args:
        process: The one that was started.
        log: What it says goes there.

    Attributes:
        peak_bytes: Largest sum of its processes' resident memory, looked at five times a
            second; pages that they share count in each of them.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
        self.process = process
        self.peak_bytes = 0
        self._log = log
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Return when a condition holds; end the command with the log if the server ends first."""

        def holds() -> bool:
            if self.process.poll() is not None:
                sys.exit(f"Ended while waiting for {what}:\n{self.said()}")
            return bool(condition())

        wait_for(holds, what)

    def said(self) -> str:
        """Return the end of the log."""
        # Not by reading the file: its place is the server's too, who would go on writing there.
        end = os.fstat(self._log.fileno()).st_size
        begin = max(0, end - MOST_SAID_BYTES)
        return os.pread(self._log.fileno(), end - begin, begin).decode(errors="replace")

    def now_bytes(self) -> int:
        """Return the resident memory of all its processes."""
        return sum(_resident_bytes(pid) for pid in tree(self.process.pid))

    def used_s(self) -> float:
        """Return the processor seconds that all its processes have used so far."""
        return sum(_used_s(pid) for pid in tree(self.process.pid))

    def end(self) -> None:
        """Ask it to end, then kill what is left of it."""
        self._ended.set()
        self._watch.join()
        known = tree(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _kill_all(known - {self.process.pid})

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, self.now_bytes())


def tree(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    found = {pid}
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text()
        except OSError:  # it has ended meanwhile
            continue
        for child in children.split():
            found |= tree(int(child))
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return PAGE_BYTES * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended meanwhile
        return 0


def _used_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has ended meanwhile
        return 0.0
    # utime, stime and both of the children that it has waited for; see proc(5).
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / TICKS_A_SECOND


def _kill_all(pids: Collection[int]) -> None:
    """Kill processes, and return when none of them runs any more."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(map(_has_ended, pids)), "processes to end", GRACE_S)


def _has_ended(pid: int) -> bool:
    with suppress(ChildProcessError):  # its parent is another
        os.waitpid(pid, os.WNOHANG)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
