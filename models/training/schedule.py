"""When a run samples, evaluates, saves and checks whether it should stop."""

import time
from collections.abc import Callable

from models.store.records import Budget, Json

SAMPLES = 12  # sample sheets per run
SNAPSHOTS = 8  # evaluated per run, at most
STOP_CHECK_S = 0.5  # a check may read the store, and steps can take milliseconds

# Evaluating a snapshot takes some ten seconds on two cores: short runs get fewer.
MIN_SNAPSHOT_S = 60.0
MIN_SNAPSHOT_KIMG = 5.0


class Schedule:
    """Samples and snapshots follow the budget spent; checkpoints and stop checks, the clock.

    With a budget in kimg nothing that affects the result depends on time, so that the same
    order gives the same version.

    Args:
        budget: The order's.
        checkpoint_s: Seconds between two saved states.
        clock: Monotonic seconds.
    """

    def __init__(
        self, budget: Budget, checkpoint_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget
        self._checkpoint_s = checkpoint_s
        self._clock = clock
        self._samples = 1
        self._snapshots = 1
        self._checkpoint_at = clock() + checkpoint_s
        self._next_stop_check = 0.0
        self._total = budget.kimg if budget.kimg is not None else 60 * (budget.minutes or 0.0)
        least = MIN_SNAPSHOT_KIMG if budget.kimg is not None else MIN_SNAPSHOT_S
        self._snapshot_share = max(1 / SNAPSHOTS, least / self._total)

    def spent(self, kimg: float, training_s: float) -> float:
        """Return the share of the budget that is used, from 0."""
        return (kimg if self._budget.kimg is not None else training_s) / self._total

    def sample_is_due(self, spent: float) -> bool:
        """Return whether another sample sheet is due, once for each."""
        # Not at the end, where the run takes its last sample anyway.
        is_due = spent * SAMPLES >= self._samples and spent < 1
        # One step may pass several marks, of a short run: they count as one sample.
        while spent * SAMPLES >= self._samples:
            self._samples += 1
        return is_due

    def snapshot_is_due(self, spent: float) -> bool:
        """Return whether another snapshot is due, once for each; the last follows training."""
        is_due = spent >= self._snapshots * self._snapshot_share and spent < 1
        while spent >= self._snapshots * self._snapshot_share:
            self._snapshots += 1
        return is_due

    def checkpoint_is_due(self) -> bool:
        """Whether the state should be saved."""
        return self._clock() >= self._checkpoint_at

    def checkpointed(self) -> None:
        """Record that the state was saved."""
        self._checkpoint_at = self._clock() + self._checkpoint_s

    def stop_check_is_due(self) -> bool:
        """Whether it is time to check if the run should stop."""
        now = self._clock()
        if now < self._next_stop_check:
            return False
        self._next_stop_check = now + STOP_CHECK_S
        return True

    def state(self) -> Json:
        """Return what a resumed run needs, as JSON."""
        return {"samples": self._samples, "snapshots": self._snapshots}

    def resume(self, state: Json) -> None:
        """Restore what `state` returned in an earlier process."""
        self._samples, self._snapshots = int(state["samples"]), int(state["snapshots"])
