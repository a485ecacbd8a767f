"""Versions whose pictures tell which version painted them, and small real generators."""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import numpy as np
import torch

from models.errors import CheckpointError
from models.inference.checkpoints import save_generator
from models.inference.latents import Point
from models.networks import NETWORKS
from models.store import Store
from models.store.records import Card
from tests import records

SIZE_PX = 8


@dataclass
class PaintingEngine:
    """Paints the red of its version, and green and blue of the seed; can be held up.

    A place between two seeds has the color of the seed that lies there on a straight line.
    """

    red: int
    size_px: int = SIZE_PX
    name: str = "paint"
    truncates: bool = True
    nbytes: int = 100
    batches: list[list[Point]] = field(default_factory=list)
    may_go: threading.Event = field(default_factory=threading.Event)
    is_busy: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.may_go.set()

    def warm(self):
        """Refuse the version that paints red 255: it stands for weights that are NaN."""
        if self.red == 255:
            raise CheckpointError("The generator paints what is not finite.")

    def render(self, points: Sequence[Point]):
        """Paint one flat picture per point."""
        self.batches.append(list(points))
        self.is_busy.set()
        assert self.may_go.wait(30)
        colors = [[self.red, seed % 256, seed // 256 % 256] for seed in map(seed_at, points)]
        pixels = np.array(colors, np.uint8).reshape(-1, 1, 1, 3)
        return np.broadcast_to(pixels, (len(points), self.size_px, self.size_px, 3)).copy()


def seed_at(point: Point) -> int:
    """Return the seed whose color the painting engine gives a point."""
    if isinstance(point, int):
        return point
    start, end = point.start, point.end
    return round((start + (end - start) * point.share) * point.truncation)


def load_painting(weights: Path, device: str, canonical: str = "") -> PaintingEngine:
    """Load what `publish` wrote."""
    try:
        return PaintingEngine(**json.loads(weights.read_bytes()))
    except ValueError as err:
        raise CheckpointError("The weights file is cut short.") from err


def red_of(number: int) -> int:
    return 10 * number % 250


def card_for(model: str, size_px: int = SIZE_PX) -> Card:
    """Return a card with the fields that a test seldom cares for filled in."""
    return records.card(model=model, size_px=size_px, z_dim=4)


def publish(store: Store, number: int, *, model="dcgan", weights=b"", picks=()) -> Card:
    """Publish version `number` of a model, without putting it into service."""
    weights = weights or json.dumps({"red": red_of(number)}).encode()
    card = replace(card_for(model), picks=picks)
    return store.versions.publish(model, weights, card, b"no picture")


def put_into_service(store: Store, number: int, *, model="dcgan", picks=()) -> Card:
    """Publish and promote version `number` of a model."""
    card = publish(store, number, model=model, picks=picks)
    store.aliases.promote(model, card.version)
    return card


def real_weights(number: int, size_px: int = 32, width: int = 4) -> bytes:
    """Return the weights file of a small untrained DCGAN; `number` seeds its weights."""
    network = NETWORKS["dcgan"]
    config = network.config(size_px=size_px, z_dim=8, width=width)
    with torch.random.fork_rng():
        torch.manual_seed(number)
        return save_generator(network.generator(config).eval(), kind="dcgan", config=config)


def publish_real(store: Store, number: int, *, model: str = "dcgan") -> Card:
    """Publish and promote a small real generator."""
    card = store.versions.publish(model, real_weights(number), card_for(model, 32), b"no picture")
    store.aliases.promote(model, card.version)
    return card


async def until(condition):
    """Wait until a condition holds, at most twenty seconds."""
    end = monotonic() + 20
    while not condition():
        assert monotonic() < end, "waited in vain"
        await asyncio.sleep(0.001)
