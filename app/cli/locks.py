"""What a service takes before it starts: its data folder and its address."""

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
    """The service cannot start as things are."""


class DataFolderInUse(StartError):
    """Another service holds the data folder."""


class Claim:
    """A claimed data folder.

    Args:
        file: Its lock file, open and locked.
        is_shared: Whether others may hold it as well.
    """

    def __init__(self, file: TextIO, is_shared: bool) -> None:
        self._file = file
        self._is_shared = is_shared

    def record(self, address: str) -> None:
        """Write down where this service answers, for whoever is refused the folder."""
        self.clear()
        if not self._is_shared:  # those who share it would overwrite each other
            self._file.write(f"{address} (pid {os.getpid()})")
            self._file.flush()

    def clear(self) -> None:
        """Write down nothing."""
        self._file.truncate(0)


@contextmanager
def claimed(data: Path, *, is_shared: bool = False) -> Iterator[Claim]:
    """Hold a data folder; the kernel releases it if this process is killed.

    Args:
        data: The data folder; made when it is not there.
        is_shared: Whether others may hold it likewise. A service with an embedded queue
            may not: a second queue over the same store would not know its jobs.

    Raises:
        DataFolderInUse: Another process holds it, and one of both needs it alone.
        StartError: It cannot be written.
    """
    path = data / "cattery.lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        # "a+" makes the file without emptying it: it may tell of the service that runs.
        file = path.open("a+", encoding="utf-8")
    except OSError as err:
        raise StartError(
            f"The data folder {data} cannot be written: {err.strerror}.",
            "Name another one in CATTERY_DATA.",
        ) from err
    with file:
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
        "Stop it, choose another folder than "
        f"{data} with CATTERY_DATA, or let both share one queue with CATTERY_REDIS_URL.",
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens already, so that nobody can take the address meanwhile.

    Callers that connect before the service is ready wait instead of being refused.

    Args:
        host: Name or address.
        port: TCP port; 0 takes any free one.

    Raises:
        StartError: The port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as err:
        raise StartError(
            f"The host {host!r} is no address: {err}.", "Choose another (--host)."
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
        errno.EADDRNOTAVAIL: "cannot be had: the address is not this machine's",
    }
    reason = reasons.get(err.errno or 0, f"cannot be had: {err.strerror}")
    return StartError(
        f"Port {port} of {host} {reason}.",
        "Choose another with --port or CATTERY_PORT (--host or CATTERY_HOST).",
    )


def address_of(listener: socket.socket) -> str:
    """Return a listening socket's URL as one types it on this machine."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    return f"http://{f'[{name}]' if ':' in name and '[' not in name else name}:{port}"
