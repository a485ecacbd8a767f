"""The one table of what the zoo's training makes, a list for each kind of machine.

Budgets of the list `gpu` are guesses from the lab's figures for one H100: by those `dcgan`
takes three minutes and `projected` twenty; of the others nothing is known, and nobody has
run it. `cpu` is what two cores yield in their idle hours, some twenty of them.
`toy` makes no cats; it proves the way through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.errors import NotFound
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES, recipe

CAT = "cat"
"""Dataset: the CAT pictures alone, as the experiments of 2017 had them."""

CATS = "cats"
"""Dataset: CAT and AFHQ together; whatever is trained on it is CC BY-NC 4.0."""


class Part(StrEnum):
    """What becomes of an entry."""

    SHIPPED = "shipped"
    RIVAL = "rival"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One generator to be trained.

    Attributes:
        recipe: Key in `models.gan.recipes.RECIPES`.
        dataset: Name of an imported dataset.
        kimg: Budget.
        size_px: Side of the pictures; the recipe's own if 0.
        overrides: Recipe numbers.
        seed: Seeds everything.
        part: Shipped; or one of those of which somebody chooses one to be shipped; or only
            shown.
        memory_gb: What training takes of a GPU's memory at most. Estimates: nobody has
            measured them yet.
    """

    recipe: str
    dataset: str = CAT
    kimg: float
    size_px: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    part: Part = Part.SHOWN
    memory_gb: float = 6.0

    @property
    def row(self) -> Recipe:
        """The recipe itself."""
        return recipe(self.recipe)

    @property
    def side_px(self) -> int:
        """Side of the pictures."""
        return self.size_px or self.row.default_size_px

    @property
    def model(self) -> str:
        """Model that its version joins; the entry's name."""
        return self.row.default_model(self.side_px)


def edition(name: str) -> tuple[Entry, ...]:
    """Return a list by its name.

    Raises:
        NotFound: There is no such list; the known ones are told.
    """
    try:
        return EDITIONS[name]
    except KeyError:
        raise NotFound("edition", name, sorted(EDITIONS)) from None


def _rest(kimg: float, taken: set[str], **parts: Any) -> tuple[Entry, ...]:
    """Return an entry for every recipe that is not taken, at 64 px."""
    return tuple(
        Entry(
            recipe=row.name,
            kimg=kimg * (row.settings.critic_steps or 1),
            size_px=64,
            part=Part.RIVAL,
            **parts,
        )
        for row in RECIPES.values()
        if row.name not in taken
    )


_NARROW = {"width": 32, "batch": 32}
"""What one core shows 180 pictures a second at, in many small steps."""

_FASTER = {"lr_generator": 8e-4, "lr_discriminator": 8e-4}
"""Eight times the rates of the least squares recipes, which are those of wide networks."""

EDITIONS: Mapping[str, tuple[Entry, ...]] = {
    "gpu": (
        Entry(recipe="dcgan", kimg=4000, overrides={"width": 64}, part=Part.SHIPPED),
        Entry(recipe="dcgan-selu", kimg=4000, part=Part.SHIPPED, memory_gb=10),
        Entry(
            recipe="projected",
            dataset=CATS,
            kimg=380,
            # 13 million weights instead of 28: what a shipped file has room for.
            overrides={"batch": 64, "most_channels": 384},
            part=Part.SHIPPED,
            memory_gb=40,
        ),
        Entry(
            recipe="projected",
            kimg=400,
            size_px=64,
            overrides={"batch": 64, "most_channels": 384},
            part=Part.RIVAL,
            memory_gb=12,
        ),
        *_rest(2000, {"dcgan", "dcgan-selu", "projected"}, overrides={"width": 64}, memory_gb=8),
    ),
    "cpu": (
        Entry(recipe="dcgan", kimg=2000, overrides={"width": 64, "batch": 32}, part=Part.SHIPPED),
        # At its own rates so narrow an `lsgan` stays gray for 5,000 steps: its discriminator wins.
        Entry(recipe="lsgan", kimg=400, overrides=_NARROW | _FASTER, part=Part.SHOWN),
        Entry(recipe="lsgan-stable", kimg=400, overrides=_NARROW | _FASTER, part=Part.SHOWN),
        Entry(recipe="wgan", kimg=1000, overrides=dict(_NARROW), part=Part.SHOWN),
        Entry(recipe="wgan-gp", kimg=1000, overrides=dict(_NARROW), part=Part.SHOWN),
        Entry(recipe="rahinge", kimg=800, overrides=dict(_NARROW), part=Part.RIVAL),
        Entry(
            recipe="dcgan-selu",
            # The original took 2,800: there are no cats yet at 45.
            kimg=2800,
            overrides={"width": 32, "batch": 16},
            part=Part.SHIPPED,
        ),
    ),
    "toy": (
        Entry(
            recipe="dcgan",
            kimg=0.2,
            size_px=32,
            overrides={"width": 4, "batch": 8},
            part=Part.SHIPPED,
        ),
        Entry(
            recipe="ralsgan",
            kimg=0.2,
            size_px=32,
            overrides={"width": 4, "batch": 8},
            part=Part.RIVAL,
        ),
        Entry(
            recipe="projected",
            kimg=0.05,
            size_px=32,
            overrides={"width": 4, "batch": 4},
            part=Part.SHIPPED,
        ),
    ),
}
