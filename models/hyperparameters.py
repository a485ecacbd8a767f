"""The hyperparameters of a recipe, and the range that an order may override them in."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, get_args

from models.errors import RecipeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A recipe's hyperparameters; `LIMITS` has their meaning and range.

    None means that the recipe has no such hyperparameter; an order that names it is rejected.
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
        """Return the hyperparameters that the recipe has, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Limit:
    """Inclusive range of a hyperparameter, and its meaning."""

    minimum: float
    maximum: float
    description: str


LIMITS: Mapping[str, Limit] = {
    "width": Limit(4, 256, "Base number of channels of both networks."),
    "z_dim": Limit(2, 1024, "Dimension of the latent vector."),
    "batch": Limit(2, 1024, "Real images per discriminator step."),
    "lr_generator": Limit(1e-7, 0.1, "Learning rate of the generator."),
    "lr_discriminator": Limit(1e-7, 0.1, "Learning rate of the discriminator."),
    "beta1": Limit(0, 0.999, "Adam's decay rate of the mean gradient."),
    "beta2": Limit(0, 0.99999, "The optimizer's decay rate of the mean squared gradient."),
    "ema": Limit(0, 0.99999, "Decay per step of the generator's moving average; 0 turns it off."),
    "mirror": Limit(0, 1, "Whether images are flipped horizontally at random."),
    "critic_steps": Limit(1, 100, "Critic updates per generator update."),
    "critic_boost": Limit(
        1,
        1000,
        "Critic updates before each of the first 25 generator updates and every 500th; "
        "shortened in proportion for budgets below 400 kimg.",
    ),
    "clip": Limit(1e-4, 1, "The critic's weights are clipped to this absolute value."),
    "penalty": Limit(0, 1000, "Weight of the gradient penalty."),
    "r1": Limit(0, 1000, "Weight (gamma) of the gradient penalty at real images."),
    "r2": Limit(0, 1000, "Weight (gamma) of the gradient penalty at generated images."),
    "augment": Limit(0, 1, "Probability of each augmentation of what the discriminator sees."),
    "most_channels": Limit(8, 4096, "Maximum number of channels of the generator's layers."),
    "pixel_judge": Limit(
        0,
        128,
        "Base channels of an additional discriminator on raw pixels at 64 px, which sees the "
        "layout of the face; 0 for none.",
    ),
    "lecun": Limit(0, 1, "Whether weights are initialized LeCun-normal instead of N(0, 0.02)."),
}


def check_overrides(
    recipe: str, defaults: Settings, overrides: Mapping[str, object]
) -> dict[str, Any]:
    """Return an order's overrides of a recipe's defaults, converted to their types.

    Raises:
        RecipeError: One is unknown, not of this recipe, of the wrong type, not finite or out
            of range.
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
    if kind is int and value != int(value):  # JSON may write 64 as 64.0
        raise RecipeError(field, value, "a whole number")
    if not limit.minimum <= value <= limit.maximum:
        raise RecipeError(field, value, f"{limit.minimum:g} to {limit.maximum:g}")
    return kind(value)


def _kind(name: str) -> Callable[[float], float]:
    """Return int, float or bool: the type itself, or the first of a union with None."""
    hint: Any = Settings.__dataclass_fields__[name].type
    return (get_args(hint) or (hint,))[0]
