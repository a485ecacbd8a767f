"""A loaded version, ready to render."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import CatteryError, CheckpointError
from models.inference import engine
from models.inference.checkpoints import load_generator
from models.inference.latents import Point
from models.inference.registry import AUTO, CANONICAL, pick_engine
from models.store import Store
from models.store.records import Card


class EngineLike(Protocol):
    """The part of `models.inference.engine.Engine` that serving uses."""

    @property
    def name(self) -> str:
        """Engine and device; part of every ETag."""

    @property
    def size_px(self) -> int:
        """Width and height of its pictures."""

    @property
    def truncates(self) -> bool:
        """Whether its pictures depend on the latent's length."""

    @property
    def nbytes(self) -> int:
        """Size of its weights on the device, bytes."""

    def warm(self) -> None:
        """Render once; CheckpointError if the picture is not finite."""

    def render(self, points: Sequence[Point]) -> NDArray[np.uint8]:
        """Return (N, H, W, 3) uint8, one picture per seed or place."""


EngineLoader = Callable[[Path, str, str], EngineLike]
"""Loads a weights file onto a device, given the engine that the version's card names."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A loaded version. Immutable; compared by identity."""

    model: str
    version: str
    engine: EngineLike
    card: Card

    @property
    def name(self) -> str:
        """Full name, "model@version"."""
        return f"{self.model}@{self.version}"


def load_engine(
    weights: Path, device: str, canonical: str = CANONICAL, *, wanted: str = AUTO
) -> EngineLike:
    """Load a weights file into an engine.

    Args:
        weights: The file.
        device: Device to render on.
        canonical: Engine that the version's card names; may be empty.
        wanted: "auto" for that one, or another of `models.inference.registry.ENGINES`.

    Raises:
        CheckpointError: The file is damaged or of another kind.
    """
    name = pick_engine(wanted, canonical, device)
    return engine.Engine(load_generator(weights, device), device, name)


def make_slot(
    store: Store, model: str, version: str, *, device: str, cache: Path, load: EngineLoader
) -> Slot:
    """Load, check and warm up a version; blocks.

    Raises:
        NotFound, Gone: There is no such version.
        CheckpointError: It is damaged, contradicts its card, or renders NaN or infinity.
        StoreError: The store cannot be read.
    """
    card = store.versions.card(model, version)
    path = store.versions.weights_path(model, version, cache)
    try:
        loaded = load(path, device, card.engine)
        loaded.warm()  # here, or the first request would wait for it
    except CatteryError:
        raise
    except Exception as err:  # whatever a bad file causes, the old version stays in service
        raise CheckpointError(f"{model}@{version} cannot be loaded: {err}.") from err
    if loaded.size_px != card.size_px:
        raise CheckpointError(
            f"The weights of {model}@{version} render {loaded.size_px} px, "
            f"but its card says {card.size_px} px.",
            "Import or train the version again.",
        )
    return Slot(model, version, loaded, card)
