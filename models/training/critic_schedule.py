"""Critic updates per generator update."""

from models.hyperparameters import Settings

FIRST_STEPS = 25
EVERY_STEPS = 500
# Budget from which boosts have their full length. The paper's first 25 generator steps alone
# show 160 kimg at batch 64, more than a short run has.
WHOLE_KIMG = 400.0


class CriticSchedule:
    """Critic steps of a run: `critic_steps`, or `critic_boost` where the recipe boosts.

    Boosts come before each of the first 25 generator steps and every 500th, and are
    shortened in proportion for budgets below 400 kimg.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, whose published code has these
    numbers, as did the 2017 cat experiments.
    """

    def __init__(self, settings: Settings) -> None:
        self._steps = settings.critic_steps or 1
        self._boost = settings.critic_boost
        self.expected_kimg: float | None = None

    @property
    def boost(self) -> int | None:
        """Critic steps of a boost, shortened if need be; None without boosts."""
        if self._boost is None:
            return None
        if self.expected_kimg is None:  # a budget in minutes, of unknown speed yet
            return self._steps
        share = min(1.0, self.expected_kimg / WHOLE_KIMG)
        return max(self._steps, round(self._boost * share))

    def critic_steps(self, step: int) -> int:
        """Return the critic steps before generator step `step`, from 0."""
        is_boosted = step < FIRST_STEPS or step % EVERY_STEPS == 0
        boost = self.boost
        return boost if boost is not None and is_boosted else self._steps

    @property
    def note(self) -> str | None:
        """How boosts were shortened, in a sentence; None where they were not."""
        if self._boost is None or self.boost == self._boost:
            return None
        return (
            f"Boosts of the critic have {self.boost} steps instead of {self._boost}, "
            f"in proportion to {self.expected_kimg or 0:g} of {WHOLE_KIMG:g} kimg."
        )
