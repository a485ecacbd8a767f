"""Trained generators: immutable, and named by the checksum of their weights."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from models.errors import (
    BadEntry,
    CatteryError,
    CheckpointError,
    Conflict,
    Gone,
    InvalidValue,
    NotFound,
    StoreError,
)
from models.store.aliases import (
    AliasTable,
    card_path,
    card_paths,
    gone_path,
    missing,
    model_names,
    version_ids,
)
from models.store.image_store import FOLDER as RENDERED
from models.store.jobs import Jobs
from models.store.names import check_name, is_name, is_version, is_version_prefix, marker
from models.store.record_cache import RecordCache
from models.store.records import Card
from models.store.serialization import dumps, loads
from models.store.tree import Tree

T = TypeVar("T")

# Inside a class that has a method `list` the type cannot be named.
Cards = list[Card]
Ids = list[str]

# Fields of a card that may change later; everything else is provenance.
CHANGEABLE = frozenset({"metrics", "promotion", "picks", "note"})

WEIGHTS = "generator.safetensors"
SAMPLES = "samples.png"
DIRECTIONS = "directions.safetensors"


class Versions:
    """All versions of all models."""

    def __init__(self, tree: Tree, aliases: AliasTable, jobs: Jobs) -> None:
        self._tree = tree
        self._aliases = aliases
        self._jobs = jobs
        self._cards = RecordCache(tree, Card)

    def publish(self, model: str, weights: bytes, card: Card, samples_png: bytes) -> Card:
        """Add a version and return its card as stored, with model, version and sha256.

        Publishing what exists changes nothing, but mends what is damaged; a deleted id comes back.

        Raises:
            InvalidValue: The name is invalid, or the model's versions have another size.
        """
        check_name("model", model)
        digest = hashlib.sha256(weights).hexdigest()
        card = replace(card, model=model, version=digest[:12], sha256=digest)
        with self._tree.lock(f"models/{model}"):
            path = card_path(model, card.version)
            there = self._whole(card)
            if there is not None:  # the id is the weights' checksum, so these are equal
                return there
            self.check_size(model, card.size_px)
            self._tree.write(_file(card, WEIGHTS), weights)
            self._tree.write(_file(card, SAMPLES), samples_png)
            # The card last: it makes the version exist, which must then be complete.
            self._tree.update(path, lambda raw: _kept(raw) or dumps(card))
            self._tree.delete(gone_path(model, card.version))
            return self._cards.get(path)

    def _whole(self, card: Card) -> Card | None:
        """Return the card of a version that is there and undamaged, or None."""
        try:
            there = self.card(card.model, card.version)
            self.weights(card.model, card.version)
        except (NotFound, Gone, BadEntry, CheckpointError):
            return None
        return there

    def card(self, model: str, version: str) -> Card:
        """Return a version's card.

        Raises:
            NotFound: There is no such model or version.
            Gone: The version was deleted.
        """
        if not (is_name(model) and is_version(version)):
            raise missing(self._tree, model, version)
        try:
            return self._cards.get(card_path(model, version))
        except FileNotFoundError as err:
            raise missing(self._tree, model, version) from err

    def samples(self, model: str, version: str) -> bytes:
        """Return a version's contact sheet, a PNG file.

        Raises:
            NotFound, Gone: As `card`.
        """
        card = self.card(model, version)
        return _present(card, lambda: self._tree.read(_file(card, SAMPLES)))

    def weights(self, model: str, version: str) -> bytes:
        """Return a version's weights file, checked against its checksum.

        Raises:
            NotFound, Gone: As `card`.
            CheckpointError: The file is missing or not what was published.
        """
        card = self.card(model, version)
        raw = _present(card, lambda: self._tree.read(_file(card, WEIGHTS)))
        _check_sum(card, hashlib.sha256(raw).hexdigest())
        return raw

    def weights_path(self, model: str, version: str, cache: Path | None = None) -> Path:
        """Return a local, checked file, maybe a copy in `cache`, with a version's weights.

        Raises:
            NotFound, Gone, CheckpointError: As `weights`.
        """
        card = self.card(model, version)
        path = _present(card, lambda: self._tree.local(_file(card, WEIGHTS), cache))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != card.sha256 and not self._tree.is_local:
            path.unlink(missing_ok=True)  # only a copy: the next call downloads it anew
        _check_sum(card, digest)
        return path

    def check_size(self, model: str, size_px: int) -> None:
        """Check that a version of this size may join a model.

        Raises:
            InvalidValue: The model's versions have another size.
        """
        for other in self.list(model)[:1]:
            if other.size_px != size_px:
                allowed = f"{other.size_px}, the size of {model}'s versions; or another model name"
                raise InvalidValue("size_px", size_px, allowed)

    def models(self) -> list[str]:
        """Return the names of all models that have a version, sorted."""
        return model_names(self._tree)

    def list(self, model: str) -> Cards:
        """Return the cards of a model's versions, newest first; none for no such model."""
        cards = self._cards.many(list(card_paths(self._tree, model).values()))
        return sorted(cards, key=lambda card: (card.created_at, card.version), reverse=True)

    def resolve(self, ref: str) -> tuple[str, str]:
        """Return the model and version that a reference means now.

        Args:
            ref: "name" (its version in service), "name@version" with an id or at least its
                first four digits, "name@serving" or "name@previous".

        Raises:
            NotFound: No such model or version, nothing in service, or several match.
            Gone: The version was deleted.
        """
        model, at, wanted = ref.partition("@")
        wanted = wanted if at else "serving"
        if wanted in ("serving", "previous"):
            return model, self._pointed(model, wanted)
        if is_version(wanted):
            return model, self.card(model, wanted).version
        hits = [v for v in version_ids(self._tree, model) if v.startswith(wanted)]
        if len(hits) != 1 or not is_version_prefix(wanted):
            raise missing(self._tree, model, wanted)
        return model, hits[0]

    def update_card(self, model: str, version: str, **changes: Any) -> Card:
        """Add later findings to a card: `metrics`, `promotion`, `picks` or `note`.

        Raises:
            NotFound, Gone: As `card`.
            InvalidValue: Another field was named.
        """
        for name in changes.keys() - CHANGEABLE:
            raise InvalidValue("card field", name, ", ".join(sorted(CHANGEABLE)))
        self.card(model, version)

        def changed(raw: bytes | None) -> bytes:
            if raw is None:
                raise missing(self._tree, model, version)
            # What was read now: another process may have changed other fields.
            return dumps(replace(loads(Card, raw), **changes))

        with self._tree.lock(f"models/{model}"):
            return loads(Card, self._tree.update(card_path(model, version), changed))

    def delete(self, model: str, version: str) -> None:
        """Delete a version that is not in service.

        Raises:
            NotFound, Gone: As `card`.
            Conflict: It is `serving` or `previous`.
        """
        card, path = self.card(model, version), card_path(model, version)
        with self._tree.lock(f"models/{model}"):
            self._check_unused(card)
            self._tree.write(gone_path(model, version), marker())
            # The card first: without it the version is gone, whatever a crash leaves of the rest.
            self._tree.delete(path)
            try:
                self._check_unused(card)  # again: a promotion may not have seen the deletion
            except CatteryError:
                self._tree.create(path, dumps(card))
                self._tree.delete(gone_path(model, version))
                raise
            for name in (WEIGHTS, SAMPLES, DIRECTIONS, RENDERED):
                self._tree.delete(_file(card, name))

    def _check_unused(self, card: Card) -> None:
        """Raise Conflict for a version that an alias names."""
        now = self._aliases.get(card.model)
        if card.version in (now.serving, now.previous):
            role = "serving" if card.version == now.serving else "previous"
            raise Conflict(
                f"The version {card.model}@{card.version} is {role}.", "Promote another one first."
            )

    def delete_model(self, model: str) -> Ids:
        """Take a model out of service and delete all of its versions; return their ids.

        Permalinks to them are gone for good.

        Raises:
            NotFound: There is no such model.
            Gone: It was deleted.
            Conflict: A job that has not ended trains for it, and would bring its name back.
        """
        versions = version_ids(self._tree, model)
        if not versions:
            raise missing(self._tree, model, "")
        for job in self._jobs.list():
            if not job.status.has_ended and job.order.get("model") == model:
                raise Conflict(f"The job {job.id} trains for {model!r}.", "Cancel it first.")
        # Out of service first: after a crash in between it serves nothing that is half gone.
        self._aliases.withdraw(model, reason="the model was deleted")
        for version in versions:
            self.delete(model, version)
        return versions

    def was_deleted(self, model: str, version: str) -> bool:
        """Whether a version existed and was deleted."""
        there = self._tree.exists(card_path(model, version))
        return not there and self._tree.exists(gone_path(model, version))

    def _pointed(self, model: str, alias: str) -> str:
        try:
            version = getattr(self._aliases.get(model), alias)
        except BadEntry:  # a stray file is no model
            if version_ids(self._tree, model):
                raise
            version = None
        if version is None:
            raise missing(self._tree, model, alias)
        return str(version)


def _file(card: Card, name: str) -> str:
    return f"models/{card.model}/versions/{card.version}/{name}"


def _kept(raw: bytes | None) -> bytes | None:
    """Return a card's file if it can be read: it may have been added to since."""
    try:
        return None if raw is None else dumps(loads(Card, raw))
    except StoreError:
        return None


def _present(card: Card, read: Callable[[], T]) -> T:
    try:
        return read()
    except FileNotFoundError as err:
        raise CheckpointError(
            f"A file of {card.model}@{card.version} is missing in the store.",
            "Import or train the version again.",
        ) from err


def _check_sum(card: Card, digest: str) -> None:
    if digest != card.sha256:
        raise CheckpointError(
            f"The weights of {card.model}@{card.version} are damaged: SHA-256 {digest} "
            f"instead of {card.sha256}.",
            "Import or train the version again.",
        )
