"""One entry of the zoo in training: an ordinary `cattery train`, in a process of its own."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from app.cli.locks import StartError
from tools.zoo.planning import train_arguments
from tools.zoo.table import Entry
from worker import parent_watch

PACKAGES = Path(__file__).parents[2]


class Child(Protocol):
    """A process that trains one entry."""

    @property
    def log(self) -> Path:
        """What it prints."""

    def status(self) -> int | None:
        """Return its exit status, minus the signal that ended it; None while it runs."""

    def ask_to_end(self) -> None:
        """Ask it to save its state and end."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; return whether it has."""

    def kill(self) -> None:
        """End it at once; does nothing for one that has ended."""


Start = Callable[[Entry, str | None], Child]
"""Starts an entry's training, or goes on with one of its jobs."""


class Training:
    """`cattery train` as a child process, which saves and ends when this process dies.

    It is in a process group of its own, so that Ctrl-C in the terminal reaches this process
    alone. Start it from a thread that lives as long as it (`worker.parent_watch`).

    Args:
        arguments: The words after `cattery`.
        log: File that all it prints is added to.
        environment: What it finds beside this process's own environment.
        lock: Descriptor of the claim, which lasts until the last child has ended.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str], lock: int
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        # -P: a folder named `app` where the user happens to stand is not ours; the path: this
        # package itself, though it may not be installed.
        python = [sys.executable, "-P", "-m", "app.cli", *arguments]
        given = os.environ  # noqa: TID251 - handed on whole
        path = os.pathsep.join(filter(None, [str(PACKAGES), given.get("PYTHONPATH")]))
        with log.open("ab") as file:
            file.write(f"$ cattery {' '.join(arguments)}\n".encode())
            file.flush()
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, str(parent_watch.__file__), str(os.getpid()), *python],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**given, **environment, "PYTHONPATH": path},
                pass_fds=[lock],
                process_group=0,
            )

    def status(self) -> int | None:
        """See `Child`."""
        return self._process.poll()

    def ask_to_end(self) -> None:
        """See `Child`."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> bool:
        """See `Child`."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """See `Child`."""
        self._process.kill()
        self._process.wait()


def starter(folder: Path, environment: Mapping[str, str], lock: int) -> Start:
    """Return what starts an entry's training, with its log in a folder."""

    def start(entry: Entry, job: str | None) -> Child:
        arguments = train_arguments(entry) if job is None else ["train", "--resume", job]
        return Training(arguments, folder / f"{entry.model}.log", environment, lock)

    return start


@contextmanager
def claimed_for_zoo(data: Path) -> Iterator[int]:
    """Hold the training of the zoo for this process and its children.

    Args:
        data: The data folder; made when it is not there.

    Yields:
        The lock's descriptor: the kernel gives it back when the last process that has it ends.

    Raises:
        StartError: Somebody else holds it, or the folder cannot be written.
    """
    path = data / "zoo.lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as err:
        raise StartError(
            f"The data folder {data} cannot be written: {err.strerror}.",
            "Name another one in CATTERY_DATA.",
        ) from err
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            holder = path.read_text(encoding="utf-8").strip()
            raise StartError(
                f"The zoo is being trained already in {data} (pid {holder}, or what it started).",
                "Wait until it has ended, or end it: it saves where it is.",
            ) from err
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
