"""First renderings of seeds, stored beside their version, so that an image's bytes never change.

A file is written once: clients get the first rendering, whatever engine or encoder a later release
has. Files are deleted with their version.
"""

import threading
from collections.abc import Collection, Mapping

from models.store.aliases import card_path
from models.store.tree import Tree, whole

FOLDER = "rendered"

RECOUNT = 64  # own writes after which the folder is listed again: other processes write too


def renderings_path(model: str, version: str) -> str:
    """Return the folder of a version's renderings."""
    return f"models/{model}/versions/{version}/{FOLDER}"


class ImageStore:
    """Files by version and name. Thread-safe.

    Args:
        tree: The store's tree.
        most: Maximum files per version; several processes may exceed it by `RECOUNT` each.
    """

    def __init__(self, tree: Tree, most: int) -> None:
        self._tree = tree
        self._most = most
        self._known: dict[str, set[str]] = {}
        self._until_recount: dict[str, int] = {}
        self._guard = threading.Lock()

    def admitted_at_once(self, model: str, version: str, names: Collection[str]) -> set[str] | None:
        """Return what `admitted` would, or None if that takes reading the store."""
        with self._guard:
            known = self._known.get(renderings_path(model, version))
        if known is None:
            return None
        new = [name for name in names if name not in known]
        return set(names) if len(known) + len(new) <= self._most or not new else None

    def admitted(self, model: str, version: str, names: Collection[str]) -> set[str]:
        """Return which files are stored, or will be once they are rendered.

        New files are admitted together, or not at all if there is no room for all.

        Raises:
            StoreError: The store cannot be read.
        """
        folder = renderings_path(model, version)
        # Outside the lock: listing an object store takes a request, and twice does no harm.
        if folder not in self._known:
            self._list(folder)
        at_once = self.admitted_at_once(model, version, names)
        if at_once is not None:
            return at_once
        known = self._known[folder]
        # Another process may have kept one of them since.
        return {n for n in names if n in known or self._tree.exists(f"{folder}/{n}")}

    def read(self, model: str, version: str, names: Collection[str]) -> dict[str, bytes]:
        """Return the content of stored files by name.

        Raises:
            StoreError: The store cannot be read.
        """
        folder = renderings_path(model, version)
        found = self._tree.read_many([f"{folder}/{name}" for name in names])
        return {path.rpartition("/")[2]: whole(data) for path, data in found.items()}

    def keep(self, model: str, version: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Write files, except those that exist; return all as they are stored now, by name.

        Raises:
            StoreError: The store cannot be written.
        """
        folder = renderings_path(model, version)
        kept = {name: self._kept(f"{folder}/{name}", data) for name, data in files.items()}
        if not self._tree.exists(
            card_path(model, version)
        ):  # deleted meanwhile, and its folder with it
            self._tree.delete(folder)
        else:
            self._note(folder, files)
        return kept

    def _kept(self, path: str, data: bytes) -> bytes:
        return data if self._tree.create(path, data) else self._tree.read(path)

    def _note(self, folder: str, names: Collection[str]) -> None:
        with self._guard:
            self._known.setdefault(folder, set()).update(names)
            left = self._until_recount.get(folder, RECOUNT) - len(names)
            self._until_recount[folder] = left
        if left <= 0:
            self._list(folder)

    def _list(self, folder: str) -> None:
        names = self._tree.names(folder)
        with self._guard:
            self._known.setdefault(folder, set()).update(names)
            self._until_recount[folder] = RECOUNT
