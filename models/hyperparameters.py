"""The numbers of a recipe that an order may override, and how far."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, get_args

from models.errors import RecipeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A recipe's numbers; `LIMITS` says what each means and how far it may go.

    None means that the recipe has no such number, and an order that names it is refused.
    """

    width: int
    z_dim: int
    batch: int
    lr_generator: float
    lr_discriminator: float
    beta1: float | None = None
    beta2: float
    ema: float = 0.999
    mirror: bool = True
    critic_steps: int | None = None
    critic_boost: int | None = None
    clip: float | None = None
    penalty: float | None = None
    r1: float | None = None
    r2: float | None = None
    augment: float | None = None
    most_channels: int | None = None
    pixel_judge: int | None = None
    lecun: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return the numbers that the recipe has, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Limit:
    """Inclusive range of an overridable number, and what the number means."""

    minimum: float
    maximum: float
    description: str


LIMITS: Mapping[str, Limit] = {
    "width": Limit(4, 256, "Base number of channels of both networks."),
    "z_dim": Limit(2, 1024, "Length of the latent."),
    "batch": Limit(2, 1024, "Real images per discriminator step."),
    "lr_generator": Limit(1e-7, 0.1, "The optimizer's step size for the generator."),
    "lr_discriminator": Limit(1e-7, 0.1, "The optimizer's step size for the discriminator."),
    "beta1": Limit(0, 0.999, "Adam's decay of the mean gradient."),
    "beta2": Limit(0, 0.99999, "The optimizer's decay of the mean squared gradient."),
    "ema": Limit(
        0, 0.99999, "Decay per step of the generator's moving average; 0 switches it off."
    ),
    "mirror": Limit(0, 1, "Whether half of the images are mirrored, at random."),
    "critic_steps": Limit(1, 100, "Critic updates for one of the generator."),
    "critic_boost": Limit(
        1,
        1000,
        "Critic updates for each of the first 25 generator steps and for every 500th; "
        "shortened in proportion where fewer than 400 kimg are ordered.",
    ),
    "clip": Limit(1e-4, 1, "The critic's weights stay within this distance of zero."),
    "penalty": Limit(0, 1000, "Weight of the gradient penalty."),
    "r1": Limit(0, 1000, "Weight (gamma) of the gradient penalty at real images."),
    "r2": Limit(0, 1000, "Weight (gamma) of the gradient penalty at generated images."),
    "augment": Limit(
        0, 1, "Probability of each of the augmentations that the discriminator looks through."
    ),
    "most_channels": Limit(8, 4096, "Most channels of any of the generator's layers."),
    "pixel_judge": Limit(
        0,
        128,
        "Base channels of a discriminator of the images at 64 px beside those of features, "
        "which sees where the eyes are; 0 for none.",
    ),
    "lecun": Limit(0, 1, "Whether weights start LeCun-normal instead of N(0, 0.02)."),
}


def check_overrides(
    recipe: str, defaults: Settings, overrides: Mapping[str, object]
) -> dict[str, Any]:
    """Return an order's overrides, each as the type of its number.

    Args:
        recipe: Whose numbers they are to replace.
        defaults: The recipe's own numbers.
        overrides: As they came.

    Raises:
        RecipeError: One is unknown, not a number of this recipe, of the wrong
            type, not finite or out of its limits.
    """
    known = defaults.given()
    for name, value in overrides.items():
        if name not in known:
            raise RecipeError(
                f"overrides.{name}", value, f"hyperparameters of {recipe}: {', '.join(known)}"
            )
    return {name: _checked(name, value) for name, value in overrides.items()}


def _checked(name: str, value: object) -> int | float | bool:
    field, limit, kind = f"overrides.{name}", LIMITS[name], _kind(name)
    if kind is bool:
        if not isinstance(value, bool):
            raise RecipeError(field, value, "true or false")
        return value
    # bool is a subclass of int, and JSON's true is no learning rate.
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise RecipeError(field, value, "a finite number")
    if kind is int and value != int(value):  # JSON does not tell 64.0 from 64
        raise RecipeError(field, value, "a whole number")
    if not limit.minimum <= value <= limit.maximum:
        raise RecipeError(field, value, f"{limit.minimum:g} to {limit.maximum:g}")
    return kind(value)


def _kind(name: str) -> Callable[[float], float]:
    """Return int, float or bool; an optional number's type is a union that begins with it."""
    hint: Any = Settings.__dataclass_fields__[name].type
    return (get_args(hint) or (hint,))[0]
