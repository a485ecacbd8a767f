"""Inspects models: cards, weights, contact sheets and aliases."""

import hashlib
import io
import json
from collections.abc import Iterator
from functools import partial

from PIL import Image

from models.errors import BadEntry, CatteryError, CheckpointError, StoreError
from models.images.formats import card_seeds, contact_sheet, encode_png
from models.inference.checkpoints import Generator, load_generator
from models.inference.engine import Engine
from models.inspection.findings import Finding, set_aside, stray
from models.publishing.transfer import import_version
from models.store import Store
from models.store.aliases import card_path
from models.store.names import is_name, is_version
from models.store.records import Card
from models.store.versions import SAMPLES, WEIGHTS
from models.zoo.install import reinstall


def inspect_models(store: Store) -> Iterator[Finding]:
    """Yield what is wrong with models.

    Repair a finding before asking for the next: aliases are judged by the versions left.
    """
    for model in store.tree.names("models"):
        path = f"models/{model}"
        if not is_name(model):
            yield stray(store, path, f"{path}: This is no name of a model.")
            continue
        try:
            names = store.tree.names(f"{path}/versions")
        except BadEntry:
            yield stray(store, path, f"{path}: This is no folder of a model.")
            continue
        for name in names:
            yield from _version(store, model, name)
        yield from _aliases(store, model)


def _version(store: Store, model: str, version: str) -> Iterator[Finding]:
    path = f"models/{model}/versions/{version}"
    if not is_version(version):
        yield stray(store, path, f"{path}: This is no version's id.")
        return
    try:
        if not store.tree.exists(card_path(model, version)):
            return  # deleted, or never completed
        card = store.versions.card(model, version)
    except BadEntry as err:
        yield Finding(err.path, err.detail, partial(_remake, store, model, version))
        return
    try:
        generator = _loaded(store, card)
    except (CheckpointError, BadEntry) as err:
        remake = partial(_remake, store, model, version)
        yield Finding(f"{path}/{WEIGHTS}", f"{path}: {err.detail}", remake)
        return
    try:
        Image.open(io.BytesIO(store.versions.samples(model, version))).verify()
    except (CatteryError, OSError, SyntaxError, ValueError) as err:
        detail = f"{path}/{SAMPLES}: It is no picture: {err}"
        yield Finding(f"{path}/{SAMPLES}", detail, partial(_render, store, card, Engine(generator)))


def _loaded(store: Store, card: Card) -> Generator:
    """Return a version's generator; CheckpointError if it is damaged or not the card's."""
    generator = load_generator(store.versions.weights(card.model, card.version))
    if (generator.size_px, generator.z_dim) != (card.size_px, card.z_dim):
        raise CheckpointError(f"The card of {card.model}@{card.version} is not of its weights.")
    return generator


def _remake(store: Store, model: str, version: str) -> str:
    """Mend a version from the release or its own weights, or move it aside."""
    path = f"models/{model}/versions/{version}"
    weights = _intact_weights(store, path, version)
    if weights is not None:  # then its card is what is wrong
        set_aside(store, card_path(model, version))
    if reinstall(store, model, version):
        return "Installed again from this release."
    try:
        if weights is not None:
            import_version(store, model, weights)
            return "Made a new card from the weights; how it was trained is lost."
    except CatteryError:  # weights of a kind that this release cannot load, or of another size
        pass
    return set_aside(store, path)


def _intact_weights(store: Store, path: str, version: str) -> bytes | None:
    """Return a version's weights if they have its checksum, whatever its card says."""
    try:
        raw = store.tree.read(f"{path}/{WEIGHTS}")
    except (StoreError, FileNotFoundError):
        return None
    return raw if hashlib.sha256(raw).hexdigest().startswith(version) else None


def _render(store: Store, card: Card, engine: Engine) -> str:
    sheet = encode_png(contact_sheet(engine.render(card_seeds(card.size_px))))
    store.tree.write(f"models/{card.model}/versions/{card.version}/{SAMPLES}", sheet)
    return "Rendered again."


def _aliases(store: Store, model: str) -> Iterator[Finding]:
    try:
        now = store.aliases.get(model)
    except BadEntry as err:
        yield Finding(err.path, err.detail, partial(_choose, store, model))
        return
    there = {card.version for card in store.versions.list(model)}
    for version in dict.fromkeys((now.serving, now.previous)):
        if version and version not in there:
            detail = f"models/{model}/aliases.json: It names {version}, which is not there."
            forget = partial(_forget, store, model, version)
            yield Finding(f"models/{model}/aliases.json", detail, forget)


def _choose(store: Store, model: str) -> str:
    """Replace damaged aliases: with the version they name if that can be read, else a good one."""
    cards = store.versions.list(model)
    named = _salvaged(store, model)
    chosen = next((card for card in cards if card.version == named), None) or next(
        (card for card in cards if card.promotion and card.promotion.is_promoted), None
    )
    if chosen is None:
        set_aside(store, f"models/{model}/aliases.json")
        return f"No version is known to have served: promote one of {model}'s."
    store.aliases.promote(model, chosen.version, reason="the aliases were damaged", action="repair")
    return f"{model}@{chosen.version} is in service."


def _salvaged(store: Store, model: str) -> str | None:
    """Return what damaged aliases say is in service, if they are JSON at all."""
    try:
        found = json.loads(store.tree.read(f"models/{model}/aliases.json"))
        return str(found["serving"])
    except (StoreError, FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _forget(store: Store, model: str, version: str) -> str:
    now = store.aliases.forget(model, version)
    if now.serving is None:
        return f"Nothing is in service: promote a version of {model}."
    return f"{model}@{now.serving} is in service."
