"""A temporary folder to build a dataset in, cleaned up even if the process was killed."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "import-"
_LOCK = "lock"
_GATE = ".imports.lock"


@contextmanager
def workplace(cache: Path) -> Iterator[Path]:
    """Create a private folder under `cache`, and remove those of dead processes.

    Each is locked by its process; the kernel drops a lock however its process dies.

    Yields:
        The empty folder.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / _GATE).open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # none is swept between its creation and its lock
        _sweep(cache)
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=cache))
        held = (place / _LOCK).open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        inner = place / "files"
        inner.mkdir()
        yield inner
    finally:
        shutil.rmtree(place, ignore_errors=True)
        held.close()  # last: closing releases the lock, and another process may sweep


def _sweep(cache: Path) -> None:
    for place in cache.glob(f"{PREFIX}*"):
        if place.is_dir() and not _is_held(place / _LOCK):
            shutil.rmtree(place, ignore_errors=True)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
