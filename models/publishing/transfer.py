"""Imports versions that were exported elsewhere."""

import hashlib
from dataclasses import replace

from models.errors import CheckpointError
from models.images.formats import card_seeds, contact_sheet, encode_png
from models.inference.checkpoints import Generator, load_generator
from models.inference.engine import Engine
from models.inference.registry import CANONICAL
from models.store.names import check_name, timestamp
from models.store.records import Card
from models.store.store import Store


def import_version(store: Store, model: str, weights: bytes, card: Card | None = None) -> Card:
    """Check weights from elsewhere and publish them; they do not serve yet.

    Args:
        store: Where to.
        model: The model they join.
        weights: Content of a weights file.
        card: The exported card; without one, a card is made from the weights file's header.

    Returns:
        The card as published.

    Raises:
        InvalidValue: The name is invalid, or the model's versions have another size.
        CheckpointError: The weights are damaged, do not match the card, or render images
            that are not finite.
    """
    check_name("model", model)
    generator = load_generator(weights)
    engine = Engine(generator)
    engine.warm()  # raises if an image is not finite
    digest = hashlib.sha256(weights).hexdigest()
    card = _made(generator) if card is None else _fitting(card, engine, digest)
    sheet = encode_png(contact_sheet(engine.render(card_seeds(engine.size_px))))
    return store.versions.publish(model, weights, card, sheet)


def _made(generator: Generator) -> Card:
    """Return a card for weights that came without one, from their header alone."""
    return Card(
        model="",
        version="",
        sha256="",
        recipe="unknown",
        size_px=generator.size_px,
        z_dim=generator.z_dim,
        latent=generator.meta["latent"],
        settings={"network": generator.meta["network"], **generator.meta["config"]},
        kimg=0.0,
        seed=0,
        created_at=timestamp(),
        engine=CANONICAL,
        note="Imported without a card: its training is unknown.",
    )


def _fitting(card: Card, engine: Engine, digest: str) -> Card:
    """Return an exported card for this store, if it belongs to these weights."""
    claims = (card.sha256, card.size_px, card.z_dim)
    found = (digest, engine.size_px, engine.z_dim)
    if claims != found:
        raise CheckpointError(
            f"The card is not that of the weights: SHA-256, size_px and z_dim are {found}, "
            f"the card says {claims}.",
            "Import the two files that were exported together.",
        )
    # The job and the decision on its promotion belong to the store where it was trained.
    return replace(card, job=None, promotion=None)
