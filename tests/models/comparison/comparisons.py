"""A comparison whose jobs are not trained but ended as a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch

from models.comparison.comparison import Comparer
from models.comparison.costs import OF_RUN, Costs, Meter
from models.comparison.records import Asked, Comparison
from models.images.formats import encode_png
from models.publishing.promotion import refused
from models.store import Store
from models.store.journal import Journal
from models.store.records import JobRecord, JobStatus, Json, Progress, TrainingOrder
from tests.records import card

PROTOCOL: Json = {"name": "cattery", "features": "efficientnet-lite0", "fakes": 2000}
QUICK: Json = {**PROTOCOL, "name": "snapshot", "fakes": 512}
FIGURES: tuple[Json, ...] = (
    {"name": "frechet_distance", "value": 101.25, "protocol": PROTOCOL},
    {"name": "kid", "value": 0.0625, "interval": [0.06, 0.065], "protocol": PROTOCOL},
    {"name": "precision", "value": 0.5, "protocol": PROTOCOL},
    {"name": "recall", "value": 0.25, "protocol": PROTOCOL},
)
SHEET = encode_png(np.full((16, 16, 3), 200, np.uint8))
EACH_S = 7.0


class FixedMeter(Meter):
    """Says the same of every run."""

    def start(self) -> None:
        """Nothing is measured."""

    def read(self) -> Costs:
        """Return what every run takes."""
        return Costs(wall_s=EACH_S, peak_bytes=300_000_000, peak_of=OF_RUN)


@dataclass
class Stage:
    """Compares in a folder; `ends` says how a recipe's job ends, else it is finished.

    Attributes:
        ran: The jobs that were carried out, by recipe and id.
        told: What was said.
        metrics: A recipe's figures, if not the usual ones.
    """

    store: Store
    folder: Path
    ends: dict[str, tuple[JobStatus, str | None]] = field(default_factory=dict)
    metrics: dict[str, tuple[Json, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    hardware: str = "a CPU"
    ran: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def asked(self, **changes: object) -> Asked:
        """Return what is usually asked, or something a little different."""
        usual: dict[str, object] = {
            "recipes": ("dcgan", "wgan", "lsgan"),
            "dataset": "small",
            "fingerprint": "0" * 64,
            "kimg": 0.5,
            "size_px": 32,
            "seed": 3,
            "overrides": {"width": 4, "batch": 8},
        }
        return Asked(**{**usual, **changes})  # type: ignore[arg-type]

    def compare(
        self, run: Callable[[JobRecord], JobRecord] | None = None, **changes: object
    ) -> Comparison:
        """Compare; every run takes seven seconds and 300 MB."""
        comparer = Comparer(
            store=self.store,
            folder=self.folder,
            run=run or self.run,
            meter=FixedMeter(torch.device("cpu")),
            tell=self.told.append,
        )
        return comparer.compare(self.asked(**changes), self.store.datasets.get("small"))

    def run(self, record: JobRecord) -> JobRecord:
        """End a job."""
        order = cast("TrainingOrder", self.store.jobs.order(record))
        self.ran.append((order.recipe, record.id))
        status, reason = self.ends.get(order.recipe, (JobStatus.FINISHED, None))
        journal = Journal(record, self.store, lambda: True)
        journal.start()
        shown = 0.25 if status is JobStatus.QUEUED else order.budget.kimg or 0.0
        progress = Progress(kimg=shown, step=63, images_per_s=125.0, training_s=4.0)
        journal.progress(lambda: progress, force=True)
        journal.sample("0.25", SHEET)
        if status is JobStatus.QUEUED:
            return journal.pause("Stopped.")
        if status is not JobStatus.FAILED:
            journal.published(self._publish(order), refused("The order says never."))
        return journal.end(status, reason)

    def _publish(self, order: TrainingOrder) -> str:
        trained = card(
            recipe=order.recipe,
            size_px=order.size_px,
            kimg=order.budget.kimg or 0.0,
            seed=order.seed,
            metrics=self.metrics.get(order.recipe, FIGURES),
            note=self.notes.get(order.recipe, ""),
            hardware=self.hardware,
            software={"torch": "2.13.0"},
        )
        weights = f"{order.recipe} {order.seed}".encode()
        return self.store.versions.publish(order.model, weights, trained, SHEET).version
