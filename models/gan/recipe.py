"""What a recipe is, and what no recipe may be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.errors import RecipeError
from models.gan.losses import Objective
from models.gan.optimizers import OPTIMIZERS
from models.gan.regularizers import NONE, Regularizer
from models.hyperparameters import LIMITS, Settings, check_overrides
from models.networks import NETWORKS, Network

MIN_SIZE_PX = 32
MAX_SIZE_PX = 512

# Numbers that every recipe has.
COMMON = ("width", "z_dim", "batch", "lr_generator", "lr_discriminator", "ema", "mirror")

# Numbers that any recipe may have: the trainer reads them, not a part that a row names.
FREE = ("critic_steps", "critic_boost", "augment", "lecun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train: networks, objective, regularizer, optimizer and numbers.

    Attributes:
        name: Key in `RECIPES`.
        title: The recipe in words.
        source: The paper.
        network: Key in `models.networks.NETWORKS`.
        objective: The pair of losses.
        regularizer: What holds the discriminator back.
        optimizer: Key in `models.gan.optimizers.OPTIMIZERS`.
        sizes_px: Sizes it is tuned and measured for; the first is the default.
        settings: Its numbers.
        note: What one should know before choosing it, a sentence; may be empty.

    Raises:
        RecipeError: The parts do not go together.
    """

    name: str
    title: str
    source: str
    network: str
    objective: Objective
    regularizer: Regularizer = NONE
    optimizer: str = "adam"
    sizes_px: tuple[int, ...]
    settings: Settings
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse nonsense once, when the table is made."""
        # Batch norm mixes a batch's images: a logit's gradient by its own says little then.
        if self.regularizer.is_per_sample and self.networks.has_batch_norm:
            allowed = f"a network without batch norm in its discriminator, for {self.name}"
            raise RecipeError("network", self.network, allowed)
        read = {*COMMON, *self.regularizer.numbers, *OPTIMIZERS[self.optimizer].numbers}
        read.update(self.networks.numbers)
        # A number that nothing reads is a typo or a leftover; either would silently do nothing.
        given = set(self.settings.given())
        if odd := (read - given) | (given - read - set(FREE)):
            allowed = f"exactly the numbers that {self.name} reads"
            raise RecipeError("settings", ", ".join(sorted(odd)), allowed)

    @property
    def networks(self) -> Network:
        """The network family."""
        return NETWORKS[self.network]

    @property
    def default_size_px(self) -> int:
        """The size of an order that names none."""
        return self.sizes_px[0]

    def network_config(self, size_px: int, settings: Settings) -> Any:
        """Return the config of this recipe's networks for a size and settings.

        Raises:
            RecipeError: They cannot be made of that size or width.
        """
        shape = {name: getattr(settings, name) for name in ("z_dim", "width")}
        shape |= {name: getattr(settings, name) for name in self.networks.numbers}
        return self.networks.config(size_px=size_px, **shape)

    def with_overrides(self, overrides: Mapping[str, object]) -> Settings:
        """Return the settings with an order's overrides.

        Raises:
            RecipeError: An override is unknown, not a number of this recipe, of
                the wrong type, not finite or out of its limits.
        """
        return replace(self.settings, **check_overrides(self.name, self.settings, overrides))

    def default_model(self, size_px: int) -> str:
        """Return the model that a version of this recipe joins unless an order says otherwise."""
        return self.name if size_px == self.default_size_px else f"{self.name}-{size_px}"

    def describe(self) -> dict[str, Any]:
        """Return the recipe's row as JSON: defaults, limits and paper."""
        defaults = self.settings.given()
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "note": self.note,
            "default_size_px": self.default_size_px,
            "sizes_px": list(self.sizes_px),
            "defaults": defaults,
            "limits": {
                name: {**asdict(LIMITS[name]), "default": value} for name, value in defaults.items()
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
