"""Several front ends on one machine, beside one engine host: what `cattery serve` supervises.

Each front end has a listening socket of its own on the same address, among which the kernel
shares out new connections. The supervisor made them and keeps them open, so that who connects
while a front end is started again waits, and is not refused.
"""

import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.console import say
from app.cli.locks import StartError, listening_socket
from app.cli.supervisor import Keeper, Program
from app.hosting.sockets import ENGINES, HOSTS_FIGURES, figures_of, is_answered, private_folder

if TYPE_CHECKING:
    from app.settings import AppSettings

BACKLOG = 2048
LOOK_EVERY_S = 0.1
HOST_GRACE_S = 10.0
FRONT_END_GRACE_S = 20.0
"""How long a front end may take to end, seconds: open requests first, then what it holds."""


def listening_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    """Return sockets that listen at one address; callers are shared out among them.

    Where the kernel does not share out (SO_REUSEPORT does on Linux), all are the same socket.

    Args:
        host: Name or address.
        port: TCP port; 0 takes any free one.
        count: How many.

    Raises:
        StartError: The port is taken, or the address is not this machine's.
    """
    # Alone at first: SO_REUSEPORT would not notice another service of this user there.
    first = listening_socket(host, port)
    if count == 1 or sys.platform != "linux":
        return [first] * count
    address = first.getsockname()
    first.close()
    return [_one_of_many(first.family, address) for _ in range(count)]


def serve_several(
    settings: "AppSettings",
    listeners: Sequence[socket.socket],
    stack: ExitStack,
    stopping: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Run engine host and front ends until a signal comes; the stack ends them.

    Args:
        settings: The front ends'; address and Redis are told them as they are here.
        listeners: One for each front end.
        stack: Ends them: front ends first, all at once, then the engine host.
        stopping: Set by a signal.
        ready: Called when all answer.

    Raises:
        StartError: One of them ended before all were ready.
    """
    from app.jobs.uploads import Uploads

    Uploads(settings.uploads).sweep()
    folder = stack.enter_context(private_folder(settings.data))
    host = _engine_host(settings, folder)
    fronts = [_front_end(settings, folder, *numbered) for numbered in enumerate(listeners)]
    # Two keepers: front ends have ended before the host is told to.
    for keeper in (Keeper([host], say), Keeper(fronts, say, at_once=True)):
        keeper.start()
        stack.callback(keeper.stop)
    names = [ENGINES, HOSTS_FIGURES, *map(figures_of, range(len(fronts)))]
    if _all_answer([folder / name for name in names], [host, *fronts], stopping):
        ready()
        stopping.wait()
    for listener in listeners:
        listener.close()  # the front ends close theirs: whoever comes now is refused at once


def _all_answer(
    paths: Sequence[Path], programs: Sequence[Program], stopping: threading.Event
) -> bool:
    """Wait until somebody answers at all sockets; False if a signal comes first."""
    while not stopping.wait(LOOK_EVERY_S):
        if all(map(is_answered, paths)):
            return True
        for program in programs:
            if not program.alive():
                raise StartError(f"The {program.name} did not start.", "The log above says why.")
    return False


def _engine_host(settings: "AppSettings", folder: Path) -> Program:
    return Program(
        "engine host",
        "engine-host",
        "--sockets",
        str(folder),
        variables=lambda: _told(settings),
        grace_s=HOST_GRACE_S,
    )


def _front_end(
    settings: "AppSettings", folder: Path, number: int, listener: socket.socket
) -> Program:
    return Program(
        f"front end {number + 1}",
        "front-end",
        "--sockets",
        str(folder),
        "--number",
        str(number),
        "--listener",
        str(listener.fileno()),
        variables=lambda: _told(settings),
        grace_s=FRONT_END_GRACE_S,
        descriptors=[listener.fileno()],
    )


def _told(settings: "AppSettings") -> dict[str, str]:
    """Return what the command line or the supervisor decided, as variables."""
    return {
        "CATTERY_HOST": settings.host,
        "CATTERY_PORT": str(settings.port),
        "CATTERY_PROCESSES": str(settings.processes),
        "CATTERY_REDIS_URL": settings.redis_url,
    }


def _one_of_many(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as err:
        listener.close()
        raise StartError(
            f"The address {address[0]} port {address[1]} cannot be shared: {err.strerror}.",
            "Set CATTERY_PROCESSES=1, or choose another port.",
        ) from err
    return listener
