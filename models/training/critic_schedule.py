"""Critic updates per generator update."""

from models.hyperparameters import Settings

FIRST_STEPS = 25
EVERY_STEPS = 500
# Training length from which on the boosts have their full length. The paper's first 25 generator
# steps alone show 160 kimg at batch 64, more than a short run has.
WHOLE_KIMG = 400.0


class CriticSchedule:
    """Critic steps of a run.

    A recipe with `critic_boost` moves its critic so often for each of the first 25
    generator steps and for every 500th, else `critic_steps` times. Where fewer than
    400 kimg are to be trained, boosts are shortened in proportion.

    Args:
        settings: The recipe's numbers.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, whose published code has these
    numbers, as the 2017 cat experiments had.
    """

    def __init__(self, settings: Settings) -> None:
        self._steps = settings.critic_steps or 1
        self._boost = settings.critic_boost
        self.expected_kimg: float | None = None

    @property
    def boost(self) -> int | None:
        """Critic steps of a boosted generator step, shortened if need be; None without boosts."""
        if self._boost is None:
            return None
        if self.expected_kimg is None:  # a budget in minutes, before the first step told the speed
            return self._steps
        share = min(1.0, self.expected_kimg / WHOLE_KIMG)
        return max(self._steps, round(self._boost * share))

    def critic_steps(self, step: int) -> int:
        """Return how often the critic moves for the generator's step number `step`, from 0."""
        is_boosted = step < FIRST_STEPS or step % EVERY_STEPS == 0
        boost = self.boost
        return boost if boost is not None and is_boosted else self._steps

    @property
    def note(self) -> str | None:
        """Say how boosts were shortened, or None where they were not."""
        if self._boost is None or self.boost == self._boost:
            return None
        return (
            f"Boosts of the critic have {self.boost} steps instead of {self._boost}, "
            f"in proportion to {self.expected_kimg or 0:g} of {WHOLE_KIMG:g} kimg."
        )
