"""What a service must have to itself before it starts: its data folder and its address."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from models.errors import CatteryError


class StartError(CatteryError):
    """The service cannot start as things are."""


class Claim(Protocol):
    """A claimed data folder."""

    def tell(self, address: str) -> None:
        """Write down where this service answers, for whoever tries to start a second one."""


@contextmanager
def claimed(data: Path) -> Iterator[Claim]:
    """Hold a data folder for this process alone; the kernel gives it back if we are killed.

    Args:
        data: The data folder; made when it is not there.

    Raises:
        StartError: Another process holds it, or it cannot be written.
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
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise _held(path, data) from err
        lock = _Lock(file.fileno())
        lock.tell("an address it has not said yet")
        try:
            yield lock
        finally:
            os.ftruncate(file.fileno(), 0)


class _Lock:
    """The lock file of a claimed data folder, open and locked."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, address: str) -> None:
        """Replace what the lock file says."""
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{address} (pid {os.getpid()})".encode())


def _held(path: Path, data: Path) -> StartError:
    where = path.read_text(encoding="utf-8").strip() or "this data folder"
    return StartError(
        f"Cattery already runs on {where}.",
        f"End it first, or name another data folder than {data} in CATTERY_DATA.",
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
