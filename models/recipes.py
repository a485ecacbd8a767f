"""The one table of GANs. Adding a recipe is adding a row here.

Command line choices, API schemas, documentation, checkpoint validation and
parametrized tests all read `RECIPES`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any

from models.errors import NotFound, RecipeError
from models.networks import NETWORKS, Network
from models.objectives import CROSS_ENTROPY, Objective

MIN_SIZE_PX = 32
MAX_SIZE_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The numbers of a recipe that an order may override; `LIMITS` says how far.

    Attributes:
        width: Base number of channels of both networks.
        z_dim: Length of the latent.
        batch: Real pictures per discriminator step.
        lr_generator: Adam's step size for the generator.
        lr_discriminator: Adam's step size for the discriminator.
        beta1: Adam's decay of the mean gradient.
        beta2: Adam's decay of the mean squared gradient.
        ema: Decay of the generator's moving average per step; 0 switches it off.
        mirror: Whether half of the pictures are mirrored, at random.
    """

    width: int
    z_dim: int
    batch: int
    lr_generator: float
    lr_discriminator: float
    beta1: float
    beta2: float
    ema: float = 0.999
    mirror: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Inclusive range of an overridable number, and what the number means."""

    minimum: float
    maximum: float
    description: str


LIMITS: Mapping[str, Limit] = {
    "width": Limit(minimum=4, maximum=256, description="Base number of channels of both networks."),
    "z_dim": Limit(minimum=2, maximum=1024, description="Length of the latent."),
    "batch": Limit(minimum=2, maximum=1024, description="Real pictures per discriminator step."),
    "lr_generator": Limit(
        minimum=1e-7, maximum=0.1, description="Adam's step size for the generator."
    ),
    "lr_discriminator": Limit(
        minimum=1e-7, maximum=0.1, description="Adam's step size for the discriminator."
    ),
    "beta1": Limit(minimum=0, maximum=0.999, description="Adam's decay of the mean gradient."),
    "beta2": Limit(
        minimum=0, maximum=0.99999, description="Adam's decay of the mean squared gradient."
    ),
    "ema": Limit(
        minimum=0,
        maximum=0.99999,
        description="Decay per step of the generator's moving average; 0 switches it off.",
    ),
    "mirror": Limit(
        minimum=0, maximum=1, description="Whether half of the pictures are mirrored, at random."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train: networks, objective and optimizer settings.

    Attributes:
        name: Key in `RECIPES`.
        title: The recipe in words.
        source: The paper.
        network: Key in `models.networks.NETWORKS`.
        objective: The pair of losses.
        default_size_px: Size it is tuned and measured for.
        settings: Its numbers.
    """

    name: str
    title: str
    source: str
    network: str
    objective: Objective
    default_size_px: int
    settings: Settings

    @property
    def networks(self) -> Network:
        """The network family."""
        return NETWORKS[self.network]

    def network_config(self, size_px: int, settings: Settings) -> Any:
        """Return the config of this recipe's networks for a size and settings."""
        return self.networks.config(size_px=size_px, z_dim=settings.z_dim, width=settings.width)

    def with_overrides(self, overrides: Mapping[str, object]) -> Settings:
        """Return the settings with an order's overrides.

        Raises:
            RecipeError: An override is unknown, of the wrong type, not finite
                or out of its limits.
        """
        checked: dict[str, Any] = {name: _checked(name, value) for name, value in overrides.items()}
        return replace(self.settings, **checked)

    def describe(self) -> dict[str, Any]:
        """Return the recipe's row as JSON: defaults, limits and paper."""
        defaults = asdict(self.settings)
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "default_size_px": self.default_size_px,
            "defaults": defaults,
            "limits": {
                name: {**asdict(limit), "default": defaults[name]} for name, limit in LIMITS.items()
            },
        }


def check_size(size_px: int) -> int:
    """Return the size if the networks can make it.

    Raises:
        RecipeError: It is not a power of two from 32 to 512.
    """
    is_power = size_px > 0 and size_px & (size_px - 1) == 0
    if not is_power or not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        allowed = f"a power of two from {MIN_SIZE_PX} to {MAX_SIZE_PX}"
        raise RecipeError("size_px", size_px, allowed)
    return size_px


def _checked(name: str, value: object) -> int | float | bool:
    """Return an override as the type of its field."""
    if name not in LIMITS:
        raise RecipeError(f"overrides.{name}", value, "one of " + ", ".join(LIMITS))
    kind = {f.name: f.type for f in fields(Settings)}[name]
    limit, field = LIMITS[name], f"overrides.{name}"
    if kind is bool:
        if not isinstance(value, bool):
            raise RecipeError(field, value, "true or false")
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not is_number or not isfinite(value):
        raise RecipeError(field, value, "a finite number")
    if kind is int and value != int(value):
        raise RecipeError(field, value, "a whole number")
    if not limit.minimum <= value <= limit.maximum:
        raise RecipeError(field, value, f"{limit.minimum:g} to {limit.maximum:g}")
    return int(value) if kind is int else float(value)


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        NotFound: There is no such recipe; the known ones are told.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise NotFound("recipe", name, sorted(RECIPES)) from None


def _table(*rows: Recipe) -> Mapping[str, Recipe]:
    return {row.name: row for row in rows}


RECIPES: Mapping[str, Recipe] = _table(
    Recipe(
        name="dcgan",
        title="Deep convolutional GAN, with the settings of the 2017 cat experiments",
        source="Radford et al. 2016, arXiv:1511.06434",
        network="dcgan",
        objective=CROSS_ENTROPY,
        default_size_px=64,
        # Width 128, batch 64 and the two learning rates: the original's "sweet spot".
        settings=Settings(
            width=128,
            z_dim=100,
            batch=64,
            lr_generator=2e-4,
            lr_discriminator=5e-5,
            beta1=0.5,
            beta2=0.999,
        ),
    ),
)
