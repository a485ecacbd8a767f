"""Keeps the best generator of a run: snapshots are measured now and then and compared."""

import hashlib
from collections.abc import Callable

from models.errors import CatteryError
from models.store.journal import Journal
from models.store.records import Json
from models.store.training_state import JobState

# Weights in, the row of the metric out, or None where it could not be computed.
Measure = Callable[[bytes], Json | None]


class Snapshots:
    """Measures the averaged generator as it is and keeps the best one in the job's state.

    Args:
        journal: Records what was measured.
        state: The job's state.
        epoch: This process's epoch of it.
        measure: Lower values are better.
    """

    def __init__(self, journal: Journal, state: JobState, epoch: int, measure: Measure) -> None:
        self.best: Json | None = None
        self._measured_kimg: float | None = None
        self._journal, self._state, self._epoch = journal, state, epoch
        self._measure = measure

    def take(self, save: Callable[[], bytes], kimg: float, training_s: float) -> None:
        """Measure the generator unless that was done at this place; keep it if it is the best.

        Args:
            save: Returns its weights file.
            kimg: Where the run is.
            training_s: Seconds of training so far.
        """
        if self._measured_kimg == kimg:  # the budget ended on a snapshot, or a resumed run did
            return
        weights = save()
        metric = self._measure(weights)
        found = {"kimg": round(kimg, 3), "metric": metric, "training_s": training_s}
        if self.best is None or value_of(metric) < value_of(self.best["metric"]):
            self.best = {**found, "sha256": hashlib.sha256(weights).hexdigest()}
            self._state.write(self._epoch, _file(self.best), weights)
        self._measured_kimg = kimg
        self._journal.snapshot(found, self.best)

    def weights(self) -> bytes:
        """Return the best one's weights file.

        Raises:
            CatteryError: There is none, or it is gone.
        """
        weights = None if self.best is None else self._state.newest(_file(self.best))
        if weights is None:
            raise CatteryError("The best snapshot is missing from the job's state.")
        return weights

    def state(self) -> Json:
        """Return what a process that takes the run up must know."""
        return {"best": self.best, "measured_kimg": self._measured_kimg}

    def resume(self, state: Json) -> None:
        """Restore what an earlier process kept, and copy its file into this epoch.

        Older epochs can be dropped then.
        """
        self.best, self._measured_kimg = state["best"], state["measured_kimg"]
        if self.best is None:
            return
        weights = self._state.newest(_file(self.best))
        if weights is None:
            self.best = self._measured_kimg = None  # measured again at the next chance
            return
        self._state.write(self._epoch, _file(self.best), weights)


def _file(best: Json) -> str:
    """Name the best weights by their sum: a kill between two writes cannot pair wrongly."""
    return f"best-{best['sha256'][:12]}.safetensors"


def value_of(metric: Json | None) -> float:
    """Order metrics; one that could not be computed is worse than any."""
    return float("inf") if metric is None else float(metric["value"])
