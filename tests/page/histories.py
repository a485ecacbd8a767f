"""Trainings written down by hand: as a worker would, but at once, and as far as a test wants."""

from dataclasses import replace
from functools import partial

import numpy as np

from models.images.formats import encode_png
from models.store import Store
from models.store.journal import Journal
from models.store.records import Collapse, JobKind, JobRecord, JobStatus, Phase, Progress
from models.training.collapse import RULES
from tests.records import put_job, training_order

SHEET_EVERY = 4  # points of progress between two sheets
SNAPSHOT_EVERY = 10


class Training:
    """A training whose course a test writes; the page follows it as any other.

    Args:
        store: Where it is written.
        changes: Of its order.
    """

    def __init__(self, store: Store, **changes) -> None:
        # Of a command line, so that no reaper looks for its process.
        record, _ = store.jobs.create(JobKind.TRAIN, training_order(**changes), runner="cli")
        self.journal = Journal(record, store)
        self.journal.start()
        self.journal.phase(Phase.PREPARING)
        self.journal.phase(Phase.TRAINING)
        self.points = 0
        self.sheet("0")

    @property
    def record(self) -> JobRecord:
        """The job as last written."""
        return self.journal.record

    def go_on(self, points: int) -> "Training":
        """Write that many more points of progress, with a sheet or a snapshot now and then."""
        for _ in range(points):
            self.points += 1
            kimg = self.points / 2
            losses = {"generator": 1 + 2 / self.points, "discriminator": 0.5, "penalty": 0.0}
            done: dict = {"training_s": 3.0 * self.points, "step": 8 * self.points}
            progress = Progress(kimg=kimg, kimg_total=100, losses=losses, eta_s=90, **done)
            self.journal.progress(partial(replace, progress), force=True)
            if self.points % SHEET_EVERY == 0:
                self.sheet(f"{kimg:g}")
            if self.points % SNAPSHOT_EVERY == 0:
                self.snapshot(kimg, done["training_s"])
        return self

    def sheet(self, label: str) -> None:
        """Keep a sheet of one color, which depends on its label."""
        shade = int(float(label) * 8) % 200 + 40
        sheet = np.full((128, 128, 3), (shade, 120, 200 - shade // 2), np.uint8)
        self.journal.sample(label, encode_png(sheet))

    def snapshot(self, kimg: float, training_s: float) -> None:
        """Write down a snapshot whose KID falls."""
        value = round(1 / (1 + kimg), 4)
        metric = {"name": "kid", "value": value, "interval": [0.9 * value, 1.1 * value]}
        found = {"kimg": kimg, "metric": metric, "faces": None, "training_s": training_s}
        self.journal.snapshot(found, found)

    def collapse(self) -> JobRecord:
        """End it by a rule, at its last point, with a sheet of that moment."""
        kimg = self.points / 2
        self.sheet(f"{kimg:g}")
        rule = RULES["alike"]
        at: dict = {"step": 8 * self.points, "since_step": 8 * self.points - 300, "kimg": kimg}
        rule_of: dict = {"rule": rule.name, "meaning": rule.meaning, "limit": rule.limit}
        told: dict = {"is_floor": rule.is_floor, "remedy": rule.remedy, "value": 0.041}
        self.journal.collapsed(Collapse(**rule_of, **told, **at, sample=f"{kimg:g}"))
        return self.journal.end(JobStatus.COLLAPSED, "Collapsed: alike.")

    def end(self, status: JobStatus = JobStatus.FINISHED, reason: str | None = None) -> JobRecord:
        """End it without a version."""
        return self.journal.end(status, reason)


def queued(store: Store, **changes) -> JobRecord:
    """Write down a job that waits and that no worker is told of."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order(**changes), runner="cli")
    return put_job(store, replace(record, reason="Waits for its turn."))
