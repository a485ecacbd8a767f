"""Training processes of the zoo: an ordinary `cattery train` for each entry."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.cli.locks import StartError
from tools.zoo.planning import train_arguments
from tools.zoo.session import Start
from tools.zoo.table import Entry
from worker import parent_watch

CHECKOUT = Path(__file__).parents[2]


def start_cattery(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str], lock: int
) -> subprocess.Popen[bytes]:
    """Start `cattery` as a child process that is terminated when this process dies.

    It has its own process group, so that Ctrl-C in the terminal reaches this process only.
    Start it from a thread that outlives it (`worker.parent_watch`).

    Args:
        arguments: Those of `cattery`.
        log: File that its output is appended to.
        environment: Variables to add to this process's own.
        lock: Descriptor of the lock, which the child holds until it exits.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # -P keeps the current folder off the path, where a package named `app` need not be ours.
    python = [sys.executable, "-P", "-m", "app.cli", *arguments]
    inherited = os.environ  # noqa: TID251 - passed on, not read
    path = os.pathsep.join(filter(None, [str(CHECKOUT), inherited.get("PYTHONPATH")]))
    with log.open("ab") as file:
        file.write(f"$ cattery {' '.join(arguments)}\n".encode())
        file.flush()
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, str(parent_watch.__file__), str(os.getpid()), *python],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**inherited, **environment, "PYTHONPATH": path},
            pass_fds=[lock],
            process_group=0,
        )


def starter(logs: Path, environment: Mapping[str, str], lock: int) -> Start:
    """Return a function that starts an entry's training, or resumes one of its jobs."""

    def start(entry: Entry, job: str | None) -> subprocess.Popen[bytes]:
        arguments = train_arguments(entry) if job is None else ["train", "--resume", job]
        return start_cattery(arguments, logs / f"{entry.model}.log", environment, lock)

    return start


@contextmanager
def zoo_lock(data: Path) -> Iterator[int]:
    """Hold the lock on training the zoo in a data folder.

    Yields:
        The lock's descriptor: processes that inherit it keep the lock until they exit.

    Raises:
        StartError: Another process holds it, or the folder is not writable.
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
                f"The zoo is already being trained in {data} (pid {holder}, or its children).",
                "Wait for it to finish, or stop it: it saves its state.",
            ) from err
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
