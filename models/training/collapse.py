"""Whether training has failed: one table of rules, checked every fifty steps.

Each rule measures one symptom of a step. A bad value adds a strike, a good one
takes one away, and enough strikes end training: so a collapse that flickers is
noticed, too.
Where the limits come from is in docs/collapse.md.
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

VARIED = 0.4  # variety that generated images must have had once, before they can become alike

UNVARIED_STEPS = 5000  # steps after which images that never were varied are alike, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to fail.

    Attributes:
        name: What a job's record says of it.
        meaning: What is measured, in words.
        measure: Measures it; None where it cannot be told.
        limit: The last value that is still healthy.
        is_floor: Whether values below the limit are bad, not those above.
        strikes: Bad checks, less the good ones since, that end training.
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
        """Steps from the beginning of a lasting failure to its detection, at most."""
        return self.strikes * CHECK_EVERY

    def is_bad(self, value: float) -> bool:
        """Return whether a measured value is beyond the limit."""
        return value < self.limit if self.is_floor else value > self.limit

    def describe(self, value: float, since: int) -> str:
        """Return what was measured, in words."""
        bound = "at least" if self.is_floor else "at most"
        limit = f"{bound} {self.limit:g} is healthy"
        return f"{self.meaning} was {value:.3g} ({limit}), first at step {since}"


def _table(*rows: Rule) -> Mapping[str, Rule]:
    return {row.name: row for row in rows}


RULES: Mapping[str, Rule] = _table(
    Rule(
        name="non_finite",
        meaning="losses and pixels that are infinite or not a number",
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
        remedy="Lower the discriminator's learning rate, or give it more images.",
    ),
    Rule(
        name="alike",
        meaning="distance of a generated image to the nearest other, over the same of real images",
        measure=relative_variety,
        limit=0.1,
        is_floor=True,
        strikes=6,
        remedy="Lower the generator's learning rate, or take a larger batch.",
    ),
    Rule(
        name="spots",
        meaning="share of saturated values that stand out from both neighbors, above real ones",
        measure=excess_of_spots,
        limit=0.003,
        strikes=6,
        remedy="Lower the learning rates, and beta1 to 0.",
    ),
    Rule(
        name="saturated",
        meaning="share of saturated values, above that in real images",
        measure=excess_of_saturated,
        limit=0.5,
        strikes=6,
        remedy="Lower the learning rates, and beta1 to 0.",
    ),
)


@dataclass(slots=True)
class Count:
    """Strikes of a rule, and the step of the first."""

    count: int = 0
    since: int = 0


@dataclass(slots=True)
class CollapseDetector:
    """Checks training and ends it when a rule says that it has failed.

    Args:
        chance: The discriminator's loss at logits of zero; 0 where the objective
            has no floor to compare with (Wasserstein).
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
        bad.since = bad.since if count else step  # all strikes were taken back: a new beginning
        bad.count += 1
        if bad.count >= rule.strikes:
            raise TrainingCollapsed(step, rule.name, rule.describe(value, bad.since), rule.remedy)

    def _is_due(self, rule: Rule, step: int, value: float) -> bool:
        """Return whether a rule counts already: a new generator's gray images are all alike."""
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
