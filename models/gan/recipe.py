"""What a recipe is, and which combinations make no sense."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.errors import RecipeError
from models.gan.losses import Objective
from models.gan.optimizers import OPTIMIZERS
from models.gan.regularizers import NONE, Regularizer
from models.hyperparameters import LIMITS, Settings, check_overrides
from models.networks import NETWORKS, Network

# Hyperparameters that every recipe has.
COMMON = ("width", "z_dim", "batch", "lr_generator", "lr_discriminator", "ema", "mirror")

# Those that any recipe may have: the trainer itself reads them, not a part that a row names.
FREE = ("critic_steps", "critic_boost", "augment", "lecun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train: networks, objective, regularizer, optimizer and hyperparameters.

    Attributes:
        name: Key in `RECIPES`.
        network: Key in `models.networks.NETWORKS`.
        optimizer: Key in `models.gan.optimizers.OPTIMIZERS`.
        sizes_px: Sizes it is tuned and measured for; the first is the default.
        settings: Its hyperparameters.
        note: What to know before choosing it, a sentence; may be empty.

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
        """Reject nonsense once, when the table is built."""
        # Batch norm mixes a batch: a logit's gradient by its own image would miss the others'.
        if self.regularizer.is_per_sample and self.networks.has_batch_norm:
            allowed = f"a network without batch norm in its discriminator, for {self.name}"
            raise RecipeError("network", self.network, allowed)
        read = {*COMMON, *self.regularizer.hyperparameters, *self.networks.hyperparameters}
        read.update(OPTIMIZERS[self.optimizer].hyperparameters)
        # One that nothing reads is a typo or a leftover; either would silently do nothing.
        given = set(self.settings.given())
        if odd := (read - given) | (given - read - set(FREE)):
            allowed = f"exactly the hyperparameters that {self.name} reads"
            raise RecipeError("settings", ", ".join(sorted(odd)), allowed)

    @property
    def networks(self) -> Network:
        """The network family."""
        return NETWORKS[self.network]

    @property
    def default_size_px(self) -> int:
        """The size of an order that does not say."""
        return self.sizes_px[0]

    def network_config(self, size_px: int, settings: Settings) -> Any:
        """Return the config of this recipe's networks for a size and settings.

        Raises:
            RecipeError: The networks cannot have that size or width.
        """
        names = ("z_dim", "width", *self.networks.hyperparameters)
        shape = {name: getattr(settings, name) for name in names}
        return self.networks.config(size_px=size_px, **shape)

    def with_overrides(self, overrides: Mapping[str, object]) -> Settings:
        """Return the settings with an order's overrides.

        Raises:
            RecipeError: An override is unknown, not of this recipe, of the wrong type, not
                finite or out of range.
        """
        return replace(self.settings, **check_overrides(self.name, self.settings, overrides))

    def default_model(self, size_px: int) -> str:
        """Return the default model of this recipe's versions."""
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
