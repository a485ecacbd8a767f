"""What an inspection finds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from models.store import Store
from models.store.names import timestamp

DAMAGED = "damaged"  # folder of the store for what cannot be mended; nothing is ever deleted


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        path: The file or folder, relative to the store.
        detail: What is wrong with it, one sentence.
        repair: Repairs it and returns what was done, one sentence.
    """

    path: str
    detail: str
    repair: Callable[[], str]


def stray(store: Store, path: str, detail: str) -> Finding:
    """Return a finding whose only repair is to move the entry out of the way."""
    return Finding(path, detail, partial(set_aside, store, path))


def set_aside(store: Store, path: str) -> str:
    """Move a file or folder into `damaged/`."""
    target = f"{DAMAGED}/{path}-{timestamp().replace(':', '')}"
    store.tree.move(path, target)
    store.tree.problems.clear(path)
    return f"Moved to {target}."
