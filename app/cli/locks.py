"""What a service acquires before it starts: its data folder and its address."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from models.errors import CatteryError


class StartError(CatteryError):
    """The service cannot start."""


class DataFolderInUse(StartError):
    """Another service holds the data folder."""


class Claim:
    """A claimed data folder.

    Args:
        file: Its lock file, open and locked.
        is_shared: Whether other processes may hold it as well.
    """

    def __init__(self, file: TextIO, is_shared: bool) -> None:
        self._file = file
        self._is_shared = is_shared

    def record(self, address: str) -> None:
        """Write the service's address into the lock file, for the message of `DataFolderInUse`."""
        self.clear()
        if not self._is_shared:  # processes that share it would overwrite each other's
            self._file.write(f"{address} (pid {os.getpid()})")
            self._file.flush()

    def clear(self) -> None:
        """Empty the lock file."""
        self._file.truncate(0)


@contextmanager
def claimed(data: Path, *, is_shared: bool = False) -> Iterator[Claim]:
    """Lock a data folder while the block runs.

    Args:
        data: The data folder; created if missing.
        is_shared: Whether other processes may hold a shared lock as well. A service with an
            embedded queue may not: a second queue over the same store would not know its jobs.

    Raises:
        DataFolderInUse: Another process holds it, and one of both needs it alone.
        StartError: It cannot be written.
    """
    path = data / "cattery.lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        # "a+" creates the file without emptying it: it may hold a running service's address.
        file = path.open("a+", encoding="utf-8")
    except OSError as err:
        raise StartError(
            f"The data folder {data} cannot be written: {err.strerror}.",
            "Choose another one with CATTERY_DATA.",
        ) from err
    with file:
        # flock, not a file with a pid: the kernel releases it even if this process is killed.
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as err:
            raise _held(path, data) from err
        claim = Claim(file, is_shared)
        claim.record("an address it has not chosen yet")
        try:
            yield claim
        finally:
            claim.clear()


def _held(path: Path, data: Path) -> DataFolderInUse:
    where = path.read_text(encoding="utf-8").strip() or f"the data folder {data}"
    return DataFolderInUse(
        f"Cattery is already running on {where}.",
        f"Stop it, choose another folder than {data} with CATTERY_DATA, or have both use one "
        "queue with CATTERY_REDIS_URL.",
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens already.

    Args:
        host: Name or address.
        port: TCP port; 0 for any free one.

    Raises:
        StartError: The port is in use, or the address is not this machine's.
    """
    # Before anything is loaded: no other program can take the address meanwhile, and clients
    # that connect too early wait instead of being refused.
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as err:
        raise StartError(
            f"The host {host!r} cannot be resolved: {err}.", "Choose another with --host."
        ) from err
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as err:
        listener.close()
        raise _refused(host, port, err) from err
    return listener


def _refused(host: str, port: int, err: OSError) -> StartError:
    reasons = {
        errno.EADDRINUSE: "is in use by another program",
        errno.EACCES: "is reserved for root",
        errno.EADDRNOTAVAIL: "is unavailable: the address is not this machine's",
    }
    reason = reasons.get(err.errno or 0, f"is unavailable: {err.strerror}")
    return StartError(
        f"Port {port} of {host} {reason}.",
        "Choose others with --port and --host, or CATTERY_PORT and CATTERY_HOST.",
    )


def address_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket for use on this machine."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    return f"http://{f'[{name}]' if ':' in name and '[' not in name else name}:{port}"
