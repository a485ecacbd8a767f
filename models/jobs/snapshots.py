"""Keeps the best generator of a run, by evaluating snapshots."""

import hashlib
from collections.abc import Callable

from models.errors import CatteryError
from models.metrics.faces import has_enough_faces
from models.metrics.protocols import SINGLE_FACE, headline
from models.store.journal import Journal
from models.store.records import Json
from models.store.training_state import JobState

# From weights to rows of metrics; none where they could not be computed.
Measure = Callable[[bytes], tuple[Json, ...]]


class Snapshots:
    """Evaluates the averaged generator and keeps the best one in the job's state.

    Args:
        journal: The job's.
        state: The job's.
        epoch: This process's epoch of the state.
        measure: Evaluates weights.
    """

    def __init__(self, journal: Journal, state: JobState, epoch: int, measure: Measure) -> None:
        self.best: Json | None = None
        self._measured_kimg: float | None = None
        self._journal, self._state, self._epoch = journal, state, epoch
        self._measure = measure

    def take(self, save: Callable[[], bytes], kimg: float, training_s: float) -> bool:
        """Evaluate what `save` returns and keep it if it is the best.

        Returns:
            False if that was done at this kimg before, and nothing was to do.
        """
        if self._measured_kimg == kimg:  # the budget ended on a snapshot, or so did a resumed run's
            return False
        weights = save()
        rows = self._measure(weights)
        found: Json = {
            "kimg": round(kimg, 3),
            "metric": headline(rows),
            "faces": next((row for row in rows if row["name"] == SINGLE_FACE), None),
            "training_s": training_s,
        }
        if self.best is None or _rank(found) < _rank(self.best):
            self._keep(weights, found)
        self._measured_kimg = kimg
        self._journal.snapshot(found, self.best)
        return True

    def keep_unmeasured(self, weights: bytes, kimg: float, training_s: float) -> None:
        """Keep weights as the best without evaluating them."""
        kept = round(kimg, 3)
        found: Json = {"kimg": kept, "metric": None, "faces": None, "training_s": training_s}
        self._keep(weights, found)
        self._journal.snapshot(found, self.best)

    def weights(self) -> bytes:
        """Return the best one's weights file; CatteryError if it is missing."""
        weights = None if self.best is None else self._state.newest(_file(self.best))
        if weights is None:
            raise CatteryError("The best snapshot is missing from the job's state.")
        return weights

    def _keep(self, weights: bytes, found: Json) -> None:
        self.best = {**found, "sha256": hashlib.sha256(weights).hexdigest()}
        # Before the next checkpoint names it: a state never refers to a missing file.
        self._state.write(self._epoch, _file(self.best), weights)

    def state(self) -> Json:
        """Return what a process that resumes the run needs."""
        return {"best": self.best, "measured_kimg": self._measured_kimg}

    def resume(self, state: Json) -> None:
        """Restore what `state` returned, and copy the weights into this process's epoch."""
        self.best, self._measured_kimg = state["best"], state["measured_kimg"]
        if self.best is None:
            return
        # Copied, since the next checkpoint prunes the epoch that it is in.
        weights = self._state.newest(_file(self.best))
        if weights is None:
            self.best = self._measured_kimg = None  # evaluated again at the next chance
            return
        self._state.write(self._epoch, _file(self.best), weights)


def _file(best: Json) -> str:
    """Return the file name of the best weights."""
    # By checksum: a kill between two writes cannot pair a state with other weights.
    return f"best-{best['sha256'][:12]}.safetensors"


def _rank(snapshot: Json) -> tuple[bool, float]:
    """Return what snapshots are sorted by, the best first: enough faces, then the metric.

    Without faces first, the metric would select heads with five eyes (docs/zoo-log.md).
    """
    metric, faces = snapshot["metric"], snapshot.get("faces")
    value = float("inf") if metric is None else float(metric["value"])
    return faces is not None and not has_enough_faces(faces), value
