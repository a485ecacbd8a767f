"""The resumable state of a job, fenced against stale holders."""

import json
from pathlib import Path

from models.errors import BadEntry, LeaseLost, StoreError
from models.store.names import check_label, marker
from models.store.tree import Tree

_TAKEN = "taken.json"  # exclusively creating this file takes an epoch
_DROPPED = "dropped.json"


class JobState:
    """`jobs/{id}/state/{epoch}/`: every process that takes a job up gets a higher epoch.

    A holder writes into its own epoch alone, so even one that does not know yet that it was
    replaced cannot overwrite what its successor reads or writes.
    """

    def __init__(self, tree: Tree, job: str) -> None:
        self._tree = tree
        self._job = job
        self._folder = f"jobs/{job}/state"

    def take(self) -> int:
        """Take the state over and return the new epoch, from 1."""
        epoch = self._last() + 1
        # Creating is exclusive: of two processes that take over at once, each gets its own epoch.
        while not self._tree.create(self._path(epoch, _TAKEN), marker()):
            epoch += 1
        return epoch

    def write(self, epoch: int, name: str, data: bytes | Path) -> None:
        """Write one file of the state atomically, or move a local file in.

        Raises:
            LeaseLost: The state was taken over, or dropped.
        """
        path = self._path(epoch, check_label("state", name))
        self._fence(epoch)
        try:
            if isinstance(data, Path):
                self._tree.put(path, data)
            else:
                self._tree.write(path, data)
        except StoreError:
            self._fence(epoch)  # the successor may just have pruned our folder: no disk error
            raise

    def newest(self, name: str) -> bytes | None:
        """Return a file from the highest epoch that has it, or None."""
        for epoch in reversed(self._epochs()):
            try:
                return self._tree.read(self._path(epoch, name))
            except FileNotFoundError:
                continue
        return None

    def newest_path(self, name: str, cache: Path | None = None) -> Path | None:
        """Return a local file, maybe in `cache`, with what `newest` returns, or None."""
        for epoch in reversed(self._epochs()):
            try:
                return self._tree.local(self._path(epoch, name), cache)
            except FileNotFoundError:
                continue
        return None

    def prune(self, epoch: int) -> None:
        """Delete the epochs before this one."""
        for older in self._epochs():
            if older < epoch:
                self._tree.delete(f"{self._folder}/{older:06d}")

    def drop(self) -> None:
        """Delete all of the state; whoever still holds it gets LeaseLost."""
        # The mark first: pruning alone would reset the epochs, and a stale holder pass the fence.
        last = self._last()
        self._tree.write(f"{self._folder}/{_DROPPED}", marker(epoch=last))
        self.prune(last + 1)

    def exists(self) -> bool:
        """Whether there is anything to resume from."""
        return any(
            self._tree.names(f"{self._folder}/{epoch:06d}") not in ([], [_TAKEN])
            for epoch in self._epochs()
        )

    def _path(self, epoch: int, name: str) -> str:
        return f"{self._folder}/{epoch:06d}/{name}"

    def _epochs(self) -> list[int]:
        return sorted(int(name) for name in self._tree.names(self._folder) if name.isdecimal())

    def _dropped(self) -> int:
        """Return the highest epoch taken when the state was dropped; 0 if it was not."""
        path = f"{self._folder}/{_DROPPED}"
        try:
            return int(json.loads(self._tree.read(path))["epoch"])
        except FileNotFoundError:
            return 0
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as err:
            raise BadEntry(path, f"{path}: It is damaged: {err}.") from err

    def _last(self) -> int:
        """Return the highest epoch ever taken, dropped ones included; 0 for none."""
        return max([self._dropped(), *self._epochs()])

    def _fence(self, epoch: int) -> None:
        if self._last() != epoch or self._dropped() >= epoch:
            raise LeaseLost(self._job)
