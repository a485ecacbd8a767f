"""Where the processes of one service find each other: Unix sockets in a private folder."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_PATH = 100
"""A socket's path, bytes: Linux takes 107 of them, macOS 103."""

ENGINES = "engines"
_FIGURES = "figures-of-"
HOSTS_FIGURES = f"{_FIGURES}host"


def figures_of(number: int) -> str:
    """Return the name of the socket at which a front end tells its figures.

    Args:
        number: The front end's, from 0.
    """
    return f"{_FIGURES}{number}"


def figures_of_all(folder: Path) -> list[Path]:
    """Return the sockets at which processes of a service tell their figures."""
    return sorted(folder.glob(f"{_FIGURES}*"))


@contextmanager
def private_folder(data: Path) -> Iterator[Path]:
    """Make an empty folder for sockets that this user alone can open; it goes in the end.

    Args:
        data: The data folder, claimed by this process; it is used where its path is short.
    """
    folder = data.resolve() / "sockets"
    if len(bytes(folder / figures_of(64))) > LONGEST_PATH:
        with tempfile.TemporaryDirectory(prefix="cattery-") as short:
            yield Path(short)
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    _empty(folder)  # a killed service could not
    try:
        yield folder
    finally:
        _empty(folder)
        folder.rmdir()


def is_answered(path: Path) -> bool:
    """Whether somebody listens at a socket; a file that a killed process left is nobody."""
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except OSError:
            return False
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
