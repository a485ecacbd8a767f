"""Whether training has failed: one table of rules, looked at every fifty steps.

Each rule measures one number of a step, comparing real and made pictures of
that step. A bad look adds one to the rule's count, a good one takes one away,
and a full count ends training: so a collapse that flickers is noticed, too.
Where the limits come from is in docs/collapse.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from models.errors import TrainingCollapsed
from models.store.records import Json

LOOK_EVERY = 50
"""Generator steps between two looks; `models.training.loop` keeps to it."""

MIN_PICTURES = 16
"""Pictures of a batch below which nearest neighbors say nothing, and `alike` is off."""

VARIED = 0.4
"""Variety that made pictures must have had once, before they can become alike."""

UNVARIED_STEPS = 5000
"""Steps after which pictures that never were varied are alike, too."""

POOLED_PX = 8
SATURATED = 0.98
"""Distance from middle gray beyond which a value is at the end of the range."""

SPOT = 2 / 3
"""A third of the range [-1, 1]: how far a value stands out that is a spot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is seen of one step.

    Attributes:
        losses: Losses and mean scores by name.
        real: (N, 3, H, W) float32 in [-1, 1].
        fake: The same of made pictures.
        chance: The discriminator's loss at logits of zero; 0 for none.
    """

    losses: Mapping[str, float]
    real: Tensor
    fake: Tensor
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to fail.

    Attributes:
        name: What a job's record says of it.
        meaning: What is measured, in words.
        measure: Measures it; None where it cannot be told.
        limit: The last value that is still well.
        is_floor: Whether values below the limit are bad, not those above.
        looks: Bad looks, those balanced by good ones not counted, that end training.
        remedy: What to do about it, one sentence.
    """

    name: str
    meaning: str
    measure: Callable[[Look], float | None]
    limit: float
    is_floor: bool = False
    looks: int
    remedy: str

    @property
    def within_steps(self) -> int:
        """Steps from the beginning of a lasting failure to its detection, at most."""
        return self.looks * LOOK_EVERY

    def is_bad(self, value: float) -> bool:
        """Tell whether a measured value is beyond the limit."""
        return value < self.limit if self.is_floor else value > self.limit

    def told(self, value: float, since: int) -> str:
        """Return what was seen, in words."""
        bound = "at least" if self.is_floor else "at most"
        limit = f"{bound} {self.limit:g} is well"
        return f"{self.meaning} was {value:.3g} ({limit}), first at step {since}"


def count_non_finite(look: Look) -> float:
    """Count losses, and values of made pictures, that are infinite or not a number."""
    losses = sum(not isfinite(value) for value in look.losses.values())
    return float(losses + (~torch.isfinite(look.fake)).sum().item())


def share_of_chance(look: Look) -> float | None:
    """Return the discriminator's loss as a share of what it would be without any knowledge."""
    return look.losses["discriminator"] / look.chance if look.chance else None


def relative_variety(look: Look) -> float | None:
    """Compare how far made pictures lie from each other with how far real ones do.

    Returns:
        Median distance of a made picture to its nearest neighbor, over the same
        of real pictures; None for small batches or real pictures that are alike.
    """
    if len(look.real) < MIN_PICTURES:
        return None
    real, fake = nearest_distance(look.real), nearest_distance(look.fake)
    return fake / real if real > 0 else None


def nearest_distance(pictures: Tensor) -> float:
    """Return the median distance of a picture to the one nearest to it.

    Args:
        pictures: (N, 3, H, W) float32; compared pooled to 8x8, by root mean square.
    """
    pooled = adaptive_avg_pool2d(pictures, POOLED_PX).flatten(1)
    # The faster way to compute distances finds none of exactly zero.
    distances = torch.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(float("inf"))
    return distances.amin(1).median().item() / pooled.shape[1] ** 0.5


def excess_of_spots(look: Look) -> float:
    """Return how much larger the share of spots is in made pictures than in real ones."""
    return share_of_spots(look.fake) - share_of_spots(look.real)


def share_of_spots(pictures: Tensor) -> float:
    """Return the share of saturated values a third of the range from the mean of both neighbors.

    A checkered ground of black and white is full of them; a saturated area has none
    inside, and along its edge only where that is nearly as high as the range.

    Args:
        pictures: (N, 3, H, W) float32 in [-1, 1]; neighbors left and right, and above and below.
    """
    # A second difference is twice the distance from the neighbors' mean.
    across = pictures.diff(n=2, dim=3).abs() > 2 * SPOT
    down = pictures.diff(n=2, dim=2).abs() > 2 * SPOT
    ends = pictures.abs() > SATURATED
    across, down = across & ends[:, :, :, 1:-1], down & ends[:, :, 1:-1]
    return (across.float().mean() + down.float().mean()).item() / 2


def excess_of_saturated(look: Look) -> float:
    """Return how much larger the share of saturated values is in made pictures than in real."""
    return share_of_saturated(look.fake) - share_of_saturated(look.real)


def share_of_saturated(pictures: Tensor) -> float:
    """Return the share of values at either end of the range, which is white, black or garish.

    Args:
        pictures: (N, 3, H, W) float32 in [-1, 1].
    """
    return (pictures.abs() > SATURATED).float().mean().item()


def _table(*rows: Rule) -> Mapping[str, Rule]:
    return {row.name: row for row in rows}


RULES: Mapping[str, Rule] = _table(
    Rule(
        name="non_finite",
        meaning="losses and pixels that are infinite or not a number",
        measure=count_non_finite,
        limit=0,
        looks=1,
        remedy="Lower the learning rates.",
    ),
    Rule(
        name="discriminator_won",
        meaning="the discriminator's loss, as a share of its loss at chance",
        measure=share_of_chance,
        limit=0.002,
        is_floor=True,
        looks=20,
        remedy="Lower the discriminator's learning rate, or give it more pictures.",
    ),
    Rule(
        name="alike",
        meaning="distance of a made picture to the nearest other, over the same of real pictures",
        measure=relative_variety,
        limit=0.1,
        is_floor=True,
        looks=6,
        remedy="Lower the generator's learning rate, or take a larger batch.",
    ),
    Rule(
        name="spots",
        meaning="share of saturated values that stand out from both neighbors, above real ones",
        measure=excess_of_spots,
        limit=0.003,
        looks=6,
        remedy="Lower the learning rates, and beta1 to 0.",
    ),
    Rule(
        name="saturated",
        meaning="share of saturated values, above that in real pictures",
        measure=excess_of_saturated,
        limit=0.5,
        looks=6,
        remedy="Lower the learning rates, and beta1 to 0.",
    ),
)


@dataclass(slots=True)
class Count:
    """Bad looks less good ones: how many, and the step of the first."""

    count: int = 0
    since: int = 0


@dataclass(slots=True)
class Watch:
    """Looks at training and ends it when a rule says that it has failed.

    Args:
        chance: The discriminator's loss at logits of zero; 0 where the objective
            has no floor to compare with (Wasserstein).
    """

    chance: float
    has_varied: bool = False
    counts: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in RULES})

    @torch.no_grad()
    def look(self, step: int, losses: Mapping[str, float], real: Tensor, fake: Tensor) -> None:
        """Measure one step by every rule.

        Args:
            step: Generator updates so far.
            losses: By name; `discriminator` without any penalty.
            real: (N, 3, H, W) in [-1, 1].
            fake: (N, 3, H, W) in [-1, 1].

        Raises:
            TrainingCollapsed: A rule counted as many bad looks as it needs.
        """
        seen = Look(losses=losses, real=real.float(), fake=fake.float(), chance=self.chance)
        for rule in RULES.values():
            self._judge(rule, step, rule.measure(seen))

    def _judge(self, rule: Rule, step: int, value: float | None) -> None:
        if value is None:
            return
        bad, count = self.counts[rule.name], self.counts[rule.name].count
        is_due = self._is_due(rule, step, value)
        if not (is_due and rule.is_bad(value)):
            bad.count = max(count - 1, 0)
            return
        bad.since = bad.since if count else step
        bad.count += 1
        if bad.count >= rule.looks:
            raise TrainingCollapsed(step, rule.name, rule.told(value, bad.since), rule.remedy)

    def _is_due(self, rule: Rule, step: int, value: float) -> bool:
        """Tell whether a rule counts already: a new generator's gray pictures are all alike."""
        if rule.name != "alike":
            return True
        self.has_varied |= value >= VARIED
        return self.has_varied or step >= UNVARIED_STEPS

    def state(self) -> Json:
        """Return what was counted so far as JSON, for `resume`."""
        counts = {name: [bad.count, bad.since] for name, bad in self.counts.items()}
        return {"has_varied": self.has_varied, "counts": counts}

    def resume(self, state: Json) -> None:
        """Go on counting where `state` was taken; rules that it does not know start anew."""
        self.has_varied = bool(state.get("has_varied", False))
        for name, (count, since) in state.get("counts", {}).items():
            if name in self.counts:
                self.counts[name] = Count(count=int(count), since=int(since))
