"""A model's aliases: the version in service and the previous one."""

from dataclasses import replace

from models.errors import Conflict, Gone, NotFound
from models.store.names import is_name, is_version, timestamp
from models.store.record_cache import RecordCache
from models.store.records import Aliases, AliasMove
from models.store.serialization import dumps
from models.store.tree import Tree


def card_path(model: str, version: str) -> str:
    """Return the path of a version's card; the version exists while this file does."""
    return f"models/{model}/versions/{version}/card.json"


def gone_path(model: str, version: str) -> str:
    """Return the path of the mark of a deleted version."""
    return f"models/{model}/versions/{version}/gone.json"


def version_ids(tree: Tree, model: str) -> list[str]:
    """Return the ids of a model's versions, sorted; none for no such model."""
    names = tree.names(f"models/{model}/versions") if is_name(model) else []
    return [name for name in names if is_version(name) and tree.exists(card_path(model, name))]


def model_names(tree: Tree) -> list[str]:
    """Return the names of all models that have a version, sorted."""
    return [name for name in tree.names("models") if version_ids(tree, name)]


def missing(tree: Tree, model: str, version: str) -> NotFound | Gone:
    """Return the most specific error for a version that is not there."""
    if is_name(model) and is_version(version) and tree.exists(gone_path(model, version)):
        return Gone("version", f"{model}@{version}")
    if known := version_ids(tree, model):
        return NotFound("version", f"{model}@{version}", known)
    # Not for an id: one that never existed is unknown, and may be published for the first time.
    is_id = is_version(version)
    if not is_id and is_name(model) and tree.names(f"models/{model}/versions"):
        return Gone("model", model)
    return NotFound("model", model, model_names(tree))


class AliasTable:
    """Aliases of all models. A move replaces one small file atomically.

    Moves are serialized: by a lock file on a local tree, within this process on an object
    store, where the last of two processes that move an alias at once wins.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._shelf = RecordCache(tree, Aliases)

    def get(self, model: str) -> Aliases:
        """Return a model's aliases; empty ones when it has none."""
        if not is_name(model):
            return Aliases()
        try:
            return self._shelf.get(_path(model))
        except FileNotFoundError:
            return Aliases()

    def promote(
        self, model: str, version: str, *, reason: str = "", action: str = "promote"
    ) -> Aliases:
        """Put a version into service; the one before becomes `previous`.

        Args:
            model: The model.
            version: A full version id.
            reason: For the history.
            action: "promote" or "zoo".

        Raises:
            NotFound: There is no such version.
            Gone: It was deleted.
        """
        self._check(model, version)
        with self._tree.lock(f"models/{model}"):
            self._check(model, version)  # again: a deletion may have held the lock until now
            now = self.get(model)
            if now.serving == version:  # else a retried request would overwrite `previous`
                return now
            return self._save(model, _moved(now, version, action, reason))

    def rollback(self, model: str) -> Aliases:
        """Swap `serving` and `previous`.

        Raises:
            NotFound: There is no such model.
            Conflict: There is no previous version.
        """
        if not version_ids(self._tree, model):
            raise NotFound("model", model, model_names(self._tree))
        with self._tree.lock(f"models/{model}"):
            now = self.get(model)
            if now.previous is None:
                raise Conflict(
                    f"The model {model!r} has no previous version.", "Promote another one first."
                )
            return self._save(model, _moved(now, now.previous, "rollback", ""))

    def withdraw(self, model: str, *, reason: str = "") -> Aliases:
        """Take a model out of service; it then has neither `serving` nor `previous`.

        Args:
            model: The model.
            reason: For the history.
        """
        with self._tree.lock(f"models/{model}"):
            now = self.get(model)
            if now.serving is None and now.previous is None:
                return now
            version = now.serving or now.previous or ""
            move = AliasMove(action="withdraw", version=version, at=timestamp(), reason=reason)
            return self._save(model, Aliases(history=(*now.history, move)))

    def _check(self, model: str, version: str) -> None:
        """Raise unless there is such a version."""
        named = is_name(model) and is_version(version)
        if not (named and self._tree.exists(card_path(model, version))):
            raise missing(self._tree, model, version)

    def _save(self, model: str, aliases: Aliases) -> Aliases:
        self._tree.write(_path(model), dumps(aliases))
        return aliases


def _path(model: str) -> str:
    return f"models/{model}/aliases.json"


def _moved(now: Aliases, version: str, action: str, reason: str) -> Aliases:
    move = AliasMove(action=action, version=version, at=timestamp(), reason=reason)
    return replace(now, serving=version, previous=now.serving, history=(*now.history, move))
