"""Fitted directions of versions: one file beside each card, written once."""

from models.store.aliases import missing
from models.store.tree import Tree
from models.store.versions import DIRECTIONS, Versions


class Directions:
    """The directions of all versions, as bytes (`models.directions.fitted`)."""

    def __init__(self, tree: Tree, versions: Versions) -> None:
        self._tree = tree
        self._versions = versions

    def read(self, model: str, version: str) -> bytes | None:
        """Return a version's file, or None if it has not been fitted.

        Raises:
            NotFound, Gone: There is no such version, or it was deleted.
        """
        self._versions.card(model, version)
        try:
            return self._tree.read(_path(model, version))
        except FileNotFoundError:
            return None

    def add(self, model: str, version: str, raw: bytes) -> bytes:
        """Keep a version's file unless it has one, and return the one it has.

        It is never replaced: addresses with directions would change their pictures.

        Raises:
            NotFound, Gone: As `read`.
        """
        self._versions.card(model, version)
        self._tree.create(_path(model, version), raw)
        if self._versions.was_deleted(model, version):  # meanwhile, by another process
            self._tree.delete(_path(model, version))
            raise missing(self._tree, model, version)
        return self._tree.read(_path(model, version))


def _path(model: str, version: str) -> str:
    return f"models/{model}/versions/{version}/{DIRECTIONS}"
