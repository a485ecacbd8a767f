"""A model's aliases: the version in service and the previous one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from models.errors import BadEntry, Conflict, Gone, NotFound, StoreError
from models.store.names import is_name, is_version, timestamp
from models.store.record_cache import RecordCache
from models.store.records import Aliases, AliasMove
from models.store.serialization import dumps, loads
from models.store.tree import Tree

T = TypeVar("T")

MOST_MOVES = 200  # of the history that are kept: the file is read every few seconds


def card_path(model: str, version: str) -> str:
    """Return the path of a version's card; the version exists while this file does."""
    return f"models/{model}/versions/{version}/card.json"


def gone_path(model: str, version: str) -> str:
    """Return the path of the mark of a deleted version."""
    return f"models/{model}/versions/{version}/gone.json"


def card_paths(tree: Tree, model: str) -> dict[str, str]:
    """Return where the cards of a model's versions are, by id, if they were not deleted."""
    if not is_name(model):
        return {}
    nothing: list[str] = []
    names = _unless_bad(tree, f"models/{model}/versions", tree.names, nothing)
    return {name: card_path(model, name) for name in names if is_version(name)}


def version_ids(tree: Tree, model: str) -> list[str]:
    """Return the ids of a model's versions, sorted; none for no such model."""
    paths = card_paths(tree, model)
    return [name for name, path in paths.items() if _unless_bad(tree, path, tree.exists, False)]


def model_names(tree: Tree) -> list[str]:
    """Return the names of all models that have a version, sorted."""
    return [name for name in tree.names("models") if version_ids(tree, name)]


def _unless_bad(tree: Tree, path: str, ask: Callable[[str], T], otherwise: T) -> T:
    """Return what the tree says of a path; a bad entry is noted, and hides no others."""
    try:
        return ask(path)
    except BadEntry as err:
        tree.problems.note(err, partial(ask, path))
        return otherwise


def missing(tree: Tree, model: str, version: str) -> NotFound | Gone:
    """Return the most specific error for a version that is not there."""
    if is_name(model) and is_version(version) and tree.exists(gone_path(model, version)):
        return Gone("version", f"{model}@{version}")
    if known := version_ids(tree, model):
        return NotFound("version", f"{model}@{version}", known)
    # Not for an id: one that never existed is unknown, and may be published for the first time.
    if not is_version(version) and card_paths(tree, model):
        return Gone("model", model)
    return NotFound("model", model, model_names(tree))


class AliasTable:
    """Aliases of all models. A move replaces one small file, and no concurrent move is lost."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._shelf = RecordCache(tree, Aliases)

    def get(self, model: str) -> Aliases:
        """Return a model's aliases; empty ones when it has none.

        Raises:
            BadEntry: The file is damaged.
        """
        if not is_name(model):
            return Aliases()
        try:
            return self._shelf.get(_path(model))
        except FileNotFoundError:
            return Aliases()

    def listed(self, model: str) -> Aliases:
        """Return a model's aliases for a list, which a damaged file must not take down."""
        return _unless_bad(self._tree, model, self.get, Aliases())

    def promote(
        self, model: str, version: str, *, reason: str = "", action: str = "promote"
    ) -> Aliases:
        """Put a version into service; the one before becomes `previous`.

        A damaged file of aliases is kept under another name and replaced.

        Args:
            model: The model.
            version: A full version id.
            reason: For the history.
            action: "promote", "zoo" or "repair".

        Raises:
            NotFound: There is no such version.
            Gone: It was deleted.
        """
        self._check(model, version)

        def promoted(raw: bytes | None) -> Aliases:
            now = self._mended(model, raw)
            if now.serving == version:  # else a retried request would overwrite `previous`
                return now
            return _moved(now, version, action, reason)

        now = self._update(model, promoted)
        try:
            self._check(model, version)  # again: a deletion may not have seen this move
        except (NotFound, Gone):
            self.forget(model, version)
            raise
        return now

    def rollback(self, model: str) -> Aliases:
        """Swap `serving` and `previous`.

        Raises:
            NotFound: There is no such model.
            Conflict: There is no previous version.
            BadEntry: The aliases are damaged.
        """
        now = self.get(model)
        # Before the update, which would make a folder for any name that a client thinks of.
        if now.previous is None and not version_ids(self._tree, model):
            raise NotFound("model", model, model_names(self._tree))

        def rolled_back(raw: bytes | None) -> Aliases:
            now = _parsed(raw)
            if now.previous is None:
                raise Conflict(
                    f"The model {model!r} has no previous version.", "Promote another one first."
                )
            return _moved(now, now.previous, "rollback", "")

        return self._update(model, rolled_back)

    def forget(self, model: str, version: str) -> Aliases:
        """Let no alias name a version that is not there; `previous` takes over for `serving`."""
        return self._update(model, lambda raw: _without(_parsed(raw), version))

    def withdraw(self, model: str, *, reason: str = "") -> Aliases:
        """Take a model out of service; it then has neither `serving` nor `previous`.

        Args:
            model: The model.
            reason: For the history.
        """

        def withdrawn(raw: bytes | None) -> Aliases:
            now = self._mended(model, raw)
            version = now.serving or now.previous
            if version is None:
                return now
            move = AliasMove(action="withdraw", version=version, at=timestamp(), reason=reason)
            moves = max(now.moves, len(now.history)) + 1
            return Aliases(history=(*now.history, move)[-MOST_MOVES:], moves=moves)

        return self._update(model, withdrawn)

    def _check(self, model: str, version: str) -> None:
        """Raise unless there is such a version."""
        named = is_name(model) and is_version(version)
        if not (named and self._tree.exists(card_path(model, version))):
            raise missing(self._tree, model, version)

    def _update(self, model: str, change: Callable[[bytes | None], Aliases]) -> Aliases:
        """Replace a model's aliases by what a function makes of the file."""
        changed = Aliases()

        def written(raw: bytes | None) -> bytes:
            nonlocal changed
            changed = change(raw)
            return dumps(changed)

        self._tree.update(_path(model), written)
        self._tree.problems.clear(_path(model))
        return changed

    def _mended(self, model: str, raw: bytes | None) -> Aliases:
        """Return aliases, or empty ones for a damaged file, which is kept under another name."""
        try:
            return _parsed(raw)
        except StoreError:
            self._tree.write(f"models/{model}/aliases-damaged.json", raw or b"")
            return Aliases()


def _path(model: str) -> str:
    return f"models/{model}/aliases.json"


def _parsed(raw: bytes | None) -> Aliases:
    return Aliases() if raw is None else loads(Aliases, raw)


def _moved(now: Aliases, version: str, action: str, reason: str) -> Aliases:
    """Return aliases after a move to a version."""
    move = AliasMove(action=action, version=version, at=timestamp(), reason=reason)
    return replace(
        now,
        serving=version,
        previous=now.serving,
        history=(*now.history, move)[-MOST_MOVES:],
        moves=max(now.moves, len(now.history)) + 1,
    )


def _without(now: Aliases, version: str) -> Aliases:
    """Return aliases that no longer name a version that was deleted."""
    if now.serving == version:
        now = replace(now, serving=now.previous, previous=None)
    return replace(now, previous=None) if now.previous == version else now
