"""What was left out of lists because it is damaged, until it is mended."""

import logging
import threading
from collections.abc import Callable

from models.errors import BadEntry, StoreError

NAMED = 5  # bad entries that a report names

_log = logging.getLogger(__name__)


class Problems:
    """Bad entries that this process has met, each told once in its log. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Callable[[], object]]] = {}
        self._guard = threading.Lock()

    def note(self, err: BadEntry, check: Callable[[], object]) -> None:
        """Remember a bad entry.

        Args:
            err: What is wrong.
            check: Reads the entry again; raises BadEntry as long as it is bad.
        """
        with self._guard:
            is_new = self._known.get(err.path, ("",))[0] != str(err)
            self._known[err.path] = (str(err), check)
        if is_new:  # lists are read every few seconds
            _log.warning("Left out a bad entry of the store: %s", err)

    def clear(self, path: str) -> None:
        """Forget an entry, which was read without an error."""
        with self._guard:
            self._known.pop(path, None)

    def current(self) -> list[str]:
        """Return what is wrong now, one sentence or two each, after reading each entry again.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._guard:
            known = sorted(self._known.items())
        for path, (_, check) in known:
            try:
                check()
            except BadEntry:
                continue
            except FileNotFoundError:  # deleted, which mends it as well
                pass
            self.clear(path)
        with self._guard:
            return [said for _, (said, _) in sorted(self._known.items())]

    def check(self) -> None:
        """Read the bad entries again.

        Raises:
            StoreError: There are some, of which the first five are named, or the store cannot
                be read.
        """
        problems = self.current()
        if problems:
            rest = f" And {len(problems) - NAMED} more." if len(problems) > NAMED else ""
            raise StoreError(" ".join(problems[:NAMED]) + rest)
