"""The training of a job, from its order or saved state to a spent budget."""

from collections.abc import Callable
from contextlib import closing, suppress
from math import isfinite

import torch

from models.errors import CatteryError, LeaseLost, TrainingCollapsed
from models.images.formats import contact_sheet, encode_png
from models.inference.checkpoints import Generator, save_generator
from models.inference.engine import Engine
from models.jobs.context import JobContext
from models.jobs.snapshots import Measure, Snapshots
from models.store.journal import Journal, Stopped, StopReason
from models.store.records import Collapse, Progress, TrainingOrder
from models.training.collapse import RULES, CollapseDetector
from models.training.loop import StepReport, is_spent, train
from models.training.schedule import Schedule
from models.training.setup import build_trainer
from models.training.state import load_state, save_state
from models.training.trainer import Trainer
from models.training.warm_start import start_from

STATE = "trainer.safetensors"
SHEET_SEEDS = 16


class TrainingRun:
    """Spends a job's budget; samples, evaluates snapshots and saves checkpoints on the way.

    Args:
        journal: The job's.
        order: The job's.
        context: Where and how to train.
        device: Where to compute.
        measure: Evaluates snapshots; lower values are better.
        should_stop: Called between steps.
    """

    trainer: Trainer  # built by `prepare`, which may run out of memory

    def __init__(
        self,
        journal: Journal,
        order: TrainingOrder,
        context: JobContext,
        device: torch.device,
        measure: Measure,
        should_stop: Callable[[], StopReason | None],
    ) -> None:
        self.journal, self.order, self.context, self.device = journal, order, context, device
        self.should_stop = should_stop
        self.state = context.store.jobs.state(journal.record.id)
        self.epoch = self.state.take()  # from here on an earlier holder can write no more
        self.snapshots = Snapshots(journal, self.state, self.epoch, measure)
        self.schedule = Schedule(order.budget, context.checkpoint_s)
        self.training_s = 0.0
        self.start_kimg = 0.0
        self.parent: str | None = None

    def prepare(self) -> None:
        """Build the trainer and load the state of an earlier process, or of another job."""
        team, store, cache = self.context.team, self.context.store, self.context.cache
        team.broadcast(self.journal.record.id.encode())
        self.trainer = build_trainer(self.order, store, cache=cache, device=self.device, team=team)
        self.detector = CollapseDetector(self.trainer.recipe.objective.chance)
        if not self._resume():
            self._start_from_other_job()
        if team.size > 1:
            team.broadcast(save_state(self.trainer, {}))

    def train(self) -> None:
        """Train until the budget is spent.

        Raises:
            Stopped: Somebody asked for it.
            TrainingCollapsed: By a rule of `models.training.collapse`.
        """
        self._sample()
        reports = train(
            self.trainer,
            self.order.budget,
            detector=self.detector,
            training_s=self.training_s,
            start_kimg=self.start_kimg,
        )
        with closing(reports):  # not whenever collected: the team waits for the leader's word
            try:
                for report in reports:
                    self._between_steps(report)
            except LeaseLost:
                self._save_while_unknown()
                raise
        self.save()
        self._sample()

    def snapshot(self) -> None:
        """Evaluate the generator, keep it if it is the best, and save a checkpoint."""
        if self.snapshots.take(self._generator, self._kimg(), self.training_s):
            self.save()  # else a crash would evaluate it again

    def stop(self) -> None:
        """Save a checkpoint and take a snapshot, for training that does not go on."""
        if self._kimg() > self.start_kimg:
            self.save()
            self.snapshot()

    def salvage(self) -> None:
        """See to it that there is a best snapshot of what was trained, without evaluating it."""
        if self.snapshots.best is None and self._kimg() > self.start_kimg:
            self.snapshots.keep_unmeasured(self._generator(), self._kimg(), self.training_s)

    def save(self) -> None:
        """Save a checkpoint, all that another process needs to resume here."""
        extra = {
            "training_s": self.training_s,
            "start_kimg": self.start_kimg,
            "parent": self.parent,
            "schedule": self.schedule.state(),
            "watch": self.detector.state(),
            "snapshots": self.snapshots.state(),
        }
        self.state.write(self.epoch, STATE, save_state(self.trainer, extra))
        # Only now: until this epoch has a state, a crash resumes from an older one's.
        self.state.prune(self.epoch)
        self.schedule.checkpointed()

    def _save_while_unknown(self) -> None:
        """Save a checkpoint if the job is to stop and nobody else is known to have taken it up.

        Told to stop during an outage of Redis, a process does not wait to learn whose the lease is.
        The epoch of the state keeps it from writing over a successor's.
        """
        if self.should_stop() is not None and self.journal.is_current():
            with suppress(CatteryError):
                self.save()

    def check_stop(self) -> None:
        """Raise Stopped if the job should stop; checks at most twice a second."""
        if not self.schedule.stop_check_is_due():
            return
        reason = self.should_stop()
        if reason is not None:
            raise Stopped(reason)

    def free_trainer(self) -> None:
        """Drop the trainer, and with it the device memory that it holds."""
        vars(self).pop("trainer", None)

    def _resume(self) -> bool:
        path = self.state.newest_path(STATE, self.context.cache)
        if path is None:
            return False
        extra = load_state(self.trainer, str(path))
        self.training_s, self.start_kimg = extra["training_s"], extra["start_kimg"]
        self.parent = extra["parent"]
        self.schedule.resume(extra["schedule"])
        self.detector.resume(extra["watch"])
        self.snapshots.resume(extra["snapshots"])
        self.journal.event("resumed", {"kimg": self._kimg()})
        return True

    def _start_from_other_job(self) -> None:
        job = self.order.resume_from or self.order.init_from
        if not job:
            return
        jobs = self.context.store.jobs
        source = jobs.get(job)
        path = jobs.state(source.id).newest_path(STATE, self.context.cache)
        if path is None:
            raise CatteryError(f"The training state of job {source.id} is gone.")
        self.parent = source.version
        if self.order.init_from:
            start_from(self.trainer, str(path))
            self.journal.event("initialized", {"from": source.id})
        else:
            load_state(self.trainer, str(path))
            self.start_kimg = self._kimg()
            self.journal.event("resumed", {"kimg": self._kimg(), "from": source.id})

    def _between_steps(self, report: StepReport) -> None:
        self.training_s, shown = report.training_s, report.kimg - self.start_kimg
        done = is_spent(self.order.budget, shown, report.training_s)
        spent = self.schedule.spent(shown, report.training_s)
        self.journal.progress(lambda: self._progress(report, spent), force=done)
        try:
            self.check_stop()
        except Stopped:
            self.journal.progress(lambda: self._progress(report, spent), force=True)
            raise
        if self.schedule.sample_is_due(spent):
            self._sample()
        if self.schedule.snapshot_is_due(spent):
            self.snapshot()
        elif self.schedule.checkpoint_is_due():
            self.save()

    def _generator(self) -> bytes:
        kind, config = self.trainer.recipe.network, self.trainer.config
        return save_generator(self.trainer.snapshot(), kind=kind, config=config)

    def collapse(self, err: TrainingCollapsed) -> Collapse:
        """Return why the training has failed, with a sample sheet of this moment."""
        rule = RULES[err.rule]
        with suppress(CatteryError):  # a generator that cannot render any more
            self._sample()
        return Collapse(
            rule=rule.name,
            meaning=rule.meaning,
            value=err.value if isfinite(err.value) else None,
            limit=rule.limit,
            is_floor=rule.is_floor,
            step=err.step,
            since_step=err.since,
            kimg=round(self._kimg(), 3),
            sample=next(reversed(self.journal.record.samples), None),
            remedy=rule.remedy,
        )

    def _kimg(self) -> float:
        return self.trainer.stream.position / 1000

    def _progress(self, report: StepReport, spent: float) -> Progress:
        budget = self.order.budget
        left = report.training_s * (1 - spent) / spent if spent > 0 else None
        speed = 1000 * (report.kimg - self.start_kimg) / max(report.training_s, 1e-9)
        return Progress(
            kimg=round(report.kimg, 3),
            kimg_total=None if budget.kimg is None else round(budget.kimg + self.start_kimg, 3),
            training_s=round(report.training_s, 2),
            training_s_total=None if budget.minutes is None else 60 * budget.minutes,
            step=report.step,
            images_per_s=round(speed, 1),
            eta_s=None if left is None else round(max(left, 0.0), 1),
            losses={name: round(value, 4) for name, value in report.losses.values().items()},
        )

    def _sample(self) -> None:
        config = {"size_px": self.order.size_px, "z_dim": self.trainer.settings.z_dim}
        header = {"network": self.trainer.recipe.network}
        engine = Engine(Generator(self.trainer.snapshot(), header, config), self.device)
        label = f"{self._kimg():.3f}".rstrip("0").rstrip(".")
        self.journal.sample(label, encode_png(contact_sheet(engine.render(range(SHEET_SEEDS)))))
