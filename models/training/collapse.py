"""Whether training has failed: one table of rules, checked every fifty steps.

Each rule measures one symptom of a step. A bad value adds a strike, a good one removes one, and
enough strikes end training, so that a flickering collapse is noticed too. docs/collapse.md has
the origin of the limits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.errors import TrainingCollapsed
from models.store.records import Json
from models.training.symptoms import (
    Observation,
    count_non_finite,
    excess_of_saturated,
    excess_of_spots,
    relative_variety,
    share_of_chance,
)

CHECK_EVERY = 50  # generator steps between two checks: reading losses back makes a GPU wait

VARIED = 0.4  # diversity that must have been reached once before the rule "alike" applies
UNVARIED_STEPS = 5000  # steps after which it applies in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to fail.

    Attributes:
        name: As in a job's record.
        meaning: What is measured, in words.
        measure: Returns the value, or None where there is none.
        limit: The last healthy value.
        is_floor: Whether values below the limit are bad, not those above.
        strikes: Bad checks, less good ones, that end training.
        remedy: What to do about it, one sentence.
    """

    name: str
    meaning: str
    measure: Callable[[Observation], float | None]
    limit: float
    is_floor: bool = False
    strikes: int
    remedy: str

    @property
    def within_steps(self) -> int:
        """Steps within which a persistent failure is detected."""
        return self.strikes * CHECK_EVERY

    def is_bad(self, value: float) -> bool:
        """Return whether a value is beyond the limit."""
        return value < self.limit if self.is_floor else value > self.limit

    def describe(self, value: float, since: int) -> str:
        """Return what was measured, in words."""
        bound = "at least" if self.is_floor else "at most"
        limit = f"{bound} {self.limit:g} is healthy"
        return f"{self.meaning} was {value:.3g} ({limit}), first at step {since}"


_ROWS = (
    Rule(
        name="non_finite",
        meaning="number of infinite or NaN losses and pixels",
        measure=count_non_finite,
        limit=0,
        strikes=1,
        remedy="Lower the learning rates.",
    ),
    Rule(
        name="discriminator_won",
        meaning="the discriminator's loss, as a share of its loss at chance",
        measure=share_of_chance,
        limit=0.002,
        is_floor=True,
        strikes=20,
        remedy="Lower the discriminator's learning rate, or provide more images.",
    ),
    Rule(
        name="alike",
        meaning="nearest-neighbor distance among generated images, over that among real ones",
        measure=relative_variety,
        limit=0.1,
        is_floor=True,
        strikes=6,
        remedy="Lower the generator's learning rate, or use a larger batch.",
    ),
    Rule(
        name="spots",
        meaning="share of saturated pixels unlike both neighbors, above that of real images",
        measure=excess_of_spots,
        limit=0.003,
        strikes=6,
        remedy="Lower the learning rates, and set beta1 to 0.",
    ),
    Rule(
        name="saturated",
        meaning="share of saturated pixels, above that of real images",
        measure=excess_of_saturated,
        limit=0.5,
        strikes=6,
        remedy="Lower the learning rates, and set beta1 to 0.",
    ),
)

RULES: Mapping[str, Rule] = {row.name: row for row in _ROWS}


@dataclass(slots=True)
class Count:
    """Strikes of a rule, and the step of the first."""

    count: int = 0
    since: int = 0


@dataclass(slots=True)
class CollapseDetector:
    """Ends training when a rule says that it has failed.

    Args:
        chance: The discriminator's loss at logits of zero; 0 for an objective without a
            minimum to compare with (Wasserstein).
    """

    chance: float
    has_varied: bool = False
    counts: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in RULES})

    @torch.no_grad()
    def check(self, step: int, losses: Mapping[str, float], real: Tensor, fake: Tensor) -> None:
        """Check one step by every rule.

        Args:
            step: Generator updates so far.
            losses: By name; `discriminator` without any penalty.
            real: (N, 3, H, W) in [-1, 1].
            fake: (N, 3, H, W) in [-1, 1].

        Raises:
            TrainingCollapsed: A rule has as many strikes as it needs.
        """
        seen = Observation(losses=losses, real=real.float(), fake=fake.float(), chance=self.chance)
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
        bad.since = bad.since if count else step  # the count was back at zero: a new episode
        bad.count += 1
        if bad.count >= rule.strikes:
            detail = rule.describe(value, bad.since)
            raise TrainingCollapsed(
                step, rule.name, detail, rule.remedy, value=value, since=bad.since
            )

    def _is_due(self, rule: Rule, step: int, value: float) -> bool:
        """Return whether a rule applies yet: a new generator's gray images are all alike."""
        if rule.name != "alike":
            return True
        self.has_varied |= value >= VARIED
        return self.has_varied or step >= UNVARIED_STEPS

    def state(self) -> Json:
        """Return the counts as JSON, for `resume`."""
        counts = {name: [bad.count, bad.since] for name, bad in self.counts.items()}
        return {"has_varied": self.has_varied, "counts": counts}

    def resume(self, state: Json) -> None:
        """Restore what `state` returned; rules newer than that start at zero."""
        self.has_varied = bool(state.get("has_varied", False))
        for name, (count, since) in state.get("counts", {}).items():
            if name in self.counts:
                self.counts[name] = Count(count=int(count), since=int(since))
