"""Which generators the zoo consists of: one list, an edition, for each kind of machine.

Budgets in `gpu` are estimates from early experiments on one H100 (three minutes for `dcgan`,
twenty for `projected`); it has not been run yet. `cpu` takes two cores some twenty hours.
`toy` is for tests and makes no recognizable cats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.errors import NotFound
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES, recipe

CAT = "cat"
"""Dataset: CAT only, as in the experiments of 2017."""

CATS = "cats"
"""Dataset: CAT and AFHQ; whatever is trained on it is CC BY-NC 4.0."""


class Role(StrEnum):
    """Whether an entry ships: always, if it is chosen among the rivals, or never."""

    SHIPPED = "shipped"
    RIVAL = "rival"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One generator to train.

    Attributes:
        recipe: Key in `models.gan.recipes.RECIPES`.
        dataset: Name of an imported dataset.
        kimg: Budget.
        size_px: Side of the pictures; the recipe's own if 0.
        overrides: Hyperparameters that differ from the recipe's.
        seed: Seed of everything random.
        role: Whether it ships.
        memory_gb: Estimated peak of GPU memory during training.
    """

    recipe: str
    dataset: str = CAT
    kimg: float
    size_px: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    role: Role = Role.SHOWN
    memory_gb: float = 6.0

    @property
    def row(self) -> Recipe:
        """The recipe."""
        return recipe(self.recipe)

    @property
    def side_px(self) -> int:
        """Side of the pictures."""
        return self.size_px or self.row.default_size_px

    @property
    def model(self) -> str:
        """The model that its version is published under; the entry's name."""
        return self.row.default_model(self.side_px)


def edition(name: str) -> tuple[Entry, ...]:
    """Return an edition's entries.

    Raises:
        NotFound: There is no such edition.
    """
    try:
        return EDITIONS[name]
    except KeyError:
        raise NotFound("edition", name, sorted(EDITIONS)) from None


def _rest(kimg: float, taken: set[str], **fields: Any) -> tuple[Entry, ...]:
    """Return an entry at 64 px for every recipe that is not in `taken`."""
    return tuple(
        Entry(
            recipe=row.name,
            kimg=kimg * (row.settings.critic_steps or 1),
            size_px=64,
            role=Role.RIVAL,
            **fields,
        )
        for row in RECIPES.values()
        if row.name not in taken
    )


_NARROW = {"width": 32, "batch": 32}
"""Trains at 180 images/s on one core: many small steps beat few wide ones (docs/zoo-log.md)."""

_FASTER = {"lr_generator": 8e-4, "lr_discriminator": 8e-4}
"""Eight times the rates of the least squares recipes, which are those of wide networks."""

EDITIONS: Mapping[str, tuple[Entry, ...]] = {
    "gpu": (
        Entry(recipe="dcgan", kimg=4000, overrides={"width": 64}, role=Role.SHIPPED),
        Entry(recipe="dcgan-selu", kimg=4000, role=Role.SHIPPED, memory_gb=10),
        Entry(
            recipe="projected",
            dataset=CATS,
            kimg=380,
            # 13 million weights instead of 28, to stay below the size limit of a file.
            overrides={"batch": 64, "most_channels": 384},
            role=Role.SHIPPED,
            memory_gb=40,
        ),
        Entry(
            recipe="projected",
            kimg=400,
            size_px=64,
            overrides={"batch": 64, "most_channels": 384},
            role=Role.RIVAL,
            memory_gb=12,
        ),
        *_rest(2000, {"dcgan", "dcgan-selu", "projected"}, overrides={"width": 64}, memory_gb=8),
    ),
    "cpu": (
        Entry(
            recipe="projected",
            dataset=CATS,
            # Faces first, then 256 px from these weights: a picture costs a third here.
            kimg=300,
            size_px=64,
            overrides={"width": 32, "batch": 16, "most_channels": 192, "pixel_judge": 32},
        ),
        Entry(recipe="dcgan", kimg=2000, overrides={"width": 64, "batch": 32}, role=Role.SHIPPED),
        # At its own rates so narrow an `lsgan` stays gray for 5,000 steps: its discriminator wins.
        Entry(recipe="lsgan", kimg=400, overrides=_NARROW | _FASTER, role=Role.SHOWN),
        Entry(recipe="lsgan-stable", kimg=400, overrides=_NARROW | _FASTER, role=Role.SHOWN),
        Entry(recipe="wgan", kimg=1000, overrides=dict(_NARROW), role=Role.SHOWN),
        Entry(recipe="wgan-gp", kimg=1000, overrides=dict(_NARROW), role=Role.SHOWN),
        Entry(recipe="rahinge", kimg=800, overrides=dict(_NARROW), role=Role.RIVAL),
        Entry(
            recipe="dcgan-selu",
            # As many as the original took; after 45 there are no cats yet.
            kimg=2800,
            overrides={"width": 32, "batch": 16},
            role=Role.SHIPPED,
        ),
    ),
    "toy": (
        Entry(
            recipe="dcgan",
            kimg=0.2,
            size_px=32,
            overrides={"width": 4, "batch": 8},
            role=Role.SHIPPED,
        ),
        Entry(
            recipe="ralsgan",
            kimg=0.2,
            size_px=32,
            overrides={"width": 4, "batch": 8},
            role=Role.RIVAL,
        ),
        Entry(
            recipe="projected",
            kimg=0.05,
            size_px=32,
            overrides={"width": 4, "batch": 4},
            role=Role.SHIPPED,
        ),
    ),
}
