"""The generators that come with the release, registered when a process starts."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from models.errors import BadEntry, CatteryError, Gone, InvalidValue, NotFound
from models.metrics.protocols import merged
from models.store.records import Card
from models.store.serialization import loads
from models.store.store import Store
from models.store.versions import SAMPLES, WEIGHTS

MANIFEST = "models.txt"  # the expected models, one per line
ACTION = "zoo"  # in the history of an alias: a release put its own version into service

ZOO = Path(__file__).parent

ZooProblem = str  # why an entry of the zoo was skipped, a sentence

Check = Callable[[bytes], object]  # raises CatteryError for weights that cannot be used


def register_zoo(
    store: Store, folder: Path | None = None, check: Check | None = None
) -> list[ZooProblem]:
    """Publish the zoo's versions, and put them into service where the user chose nothing.

    A version that the user deleted stays deleted. A newer version of the zoo replaces an older
    one of the zoo; what a user promoted is left alone.

    Args:
        store: Where to.
        folder: `models.txt`, and for each model in it `{model}/generator.safetensors`,
            `card.json` and `samples.png`; by default those of this package.
        check: Checks weights that the store does not have yet; by default
            `models.inference.checkpoints.load_generator`.

    Returns:
        One sentence for each entry that was skipped, because it is damaged or does not fit.

    Raises:
        StoreError: The store cannot be read or written.
    """
    zoo = folder or ZOO
    try:
        models = (zoo / MANIFEST).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as err:
        return [f"The zoo was skipped: its list of models cannot be read ({err})."]
    problems = []
    for entry in (zoo / model for model in models):
        try:
            weights, card, samples = _read(entry)
            _check(store, entry.name, weights, card, check)
            _register(store, entry.name, weights, card, samples)
        except (_Skipped, BadEntry) as err:
            problems.append(f"The zoo's {entry.name!r} was skipped: {err}")
    return problems


def reinstall(store: Store, model: str, version: str, folder: Path | None = None) -> bool:
    """Publish a damaged version of the zoo again; return whether it is one of this release.

    Args:
        store: Where to.
        model: The model.
        version: A full version id.
        folder: As for `register_zoo`.
    """
    try:
        weights, card, samples = _read((folder or ZOO) / model)
    except _Skipped:
        return False
    if card.sha256[:12] != version:
        return False
    store.versions.publish(model, weights, card, samples)
    return True


class _Skipped(CatteryError):
    """An entry of the zoo that cannot be used."""


def _read(entry: Path) -> tuple[bytes, Card, bytes]:
    """Read one entry and compare its weights with its card."""
    try:
        weights, samples = (entry / WEIGHTS).read_bytes(), (entry / SAMPLES).read_bytes()
        card = loads(Card, (entry / "card.json").read_bytes())
    except OSError as err:
        raise _Skipped(f"{err.filename}: {err.strerror}.") from err
    except CatteryError as err:
        raise _Skipped(str(err)) from err
    digest = hashlib.sha256(weights).hexdigest()
    if digest != card.sha256:
        raise _Skipped(f"Its weights are damaged: SHA-256 {digest}, not {card.sha256}.")
    return weights, card, samples


def _check(store: Store, model: str, weights: bytes, card: Card, check: Check | None) -> None:
    """Skip what this release cannot load; what the store has was checked when it came."""
    try:
        store.versions.card(model, card.sha256[:12])
    except NotFound:
        pass
    except Gone:  # deleted by the user: it stays so
        return
    else:
        return
    # Imported late: torch takes a second, and most starts find the zoo in the store.
    from models.inference.checkpoints import load_generator

    try:
        (check or load_generator)(weights)
    except CatteryError as err:
        raise _Skipped(str(err)) from err


def _register(store: Store, model: str, weights: bytes, card: Card, samples: bytes) -> None:
    if store.versions.was_deleted(model, card.sha256[:12]):
        return
    try:
        published = store.versions.publish(model, weights, card, samples)
    except InvalidValue as err:
        raise _Skipped(str(err)) from err
    if published.picks != card.picks or not _has(published, card):  # a later release knows more
        metrics = merged(published.metrics, card.metrics)
        store.versions.update_card(model, published.version, picks=card.picks, metrics=metrics)
    if _may_serve(store, published):
        store.aliases.promote(model, published.version, reason="came with Cattery", action=ACTION)


def _has(published: Card, card: Card) -> bool:
    """Whether a card of the store has every result of the zoo's."""
    return all(row in published.metrics for row in card.metrics)


def _may_serve(store: Store, card: Card) -> bool:
    """Whether nobody but an older zoo has chosen what the model serves."""
    now = store.aliases.get(card.model)
    if now.serving is None:
        return True
    if any(move.action != ACTION for move in now.history):
        return False
    return card.created_at > store.versions.card(card.model, now.serving).created_at
