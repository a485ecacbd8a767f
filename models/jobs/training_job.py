"""One training job from order to published version, run by a worker or the command line.

It resumes a job where its last process left it, maintains its record and history, and publishes
its best snapshot.
"""

import logging
from collections.abc import Callable
from typing import cast

import torch

from models.devices import pick_device
from models.errors import TrainingCollapsed
from models.jobs.context import JobContext
from models.jobs.training_run import TrainingRun
from models.metrics.comparison import Measurement
from models.publishing.card import Origin
from models.publishing.evaluation import Evaluator
from models.publishing.publish import Publisher
from models.store.journal import Journal, Stopped, StopReason
from models.store.records import JobRecord, JobStatus, Phase, Promote, TrainingOrder
from models.training.setup import what_fits

log = logging.getLogger(__name__)

# What is measured in each phase, image by image.
_TASKS = {
    Phase.PREPARING: "measuring the dataset",
    Phase.MEASURING: "measuring the new version",
    Phase.PUBLISHING: "measuring the version in service",
}


def run_training(
    record: JobRecord,
    context: JobContext,
    *,
    should_stop: Callable[[], StopReason | None] = lambda: None,
    lease: Callable[[], bool] = lambda: True,
    announce: Callable[[str], object] = lambda _model: None,
) -> JobRecord:
    """Run a training job.

    Args:
        record: The job as it is now: new, or interrupted earlier.
        context: Where and how.
        should_stop: Called between steps.
        lease: Returns whether this process still holds the job.
        announce: Called with the model whose alias moved.

    Returns:
        The record, ended or paused. Errors end the job; only a lost lease is raised.

    Raises:
        LeaseLost: Another process holds the job now.
    """
    journal = Journal(record, context.store, lease)
    return journal.run(lambda: _TrainingJob(journal, context, should_stop, announce).run())


class _TrainingJob:
    def __init__(
        self,
        journal: Journal,
        context: JobContext,
        should_stop: Callable[[], StopReason | None],
        announce: Callable[[str], object],
    ) -> None:
        if context.threads:
            torch.set_num_threads(context.threads)
        self.journal, self.context, store = journal, context, context.store
        self.device = pick_device(context.device)
        self.order = cast("TrainingOrder", store.jobs.order(journal.record))
        dataset = store.datasets.get(self.order.dataset)
        self.evaluator = Evaluator(
            store, dataset, self.order.size_px, context.cache, self.device, context.fakes
        )
        self.evaluator.on_progress = self._measured
        self.training = TrainingRun(
            journal, self.order, context, self.device, self.evaluator.snapshot, should_stop
        )
        self.publisher = Publisher(
            store=store,
            journal=journal,
            order=self.order,
            dataset=dataset,
            device=self.device,
            evaluator=self.evaluator,
            announce=announce,
        )

    def _measured(self, done: int, total: int) -> None:
        phase = self.journal.record.phase
        # Snapshots belong to the training, whose own progress stays in sight meanwhile.
        if phase is not None and phase is not Phase.TRAINING:
            self.journal.work(_TASKS[phase], done, total, "images")

    def run(self) -> JobRecord:
        if self.journal.record.version is not None:
            return self._end_published()
        try:
            found = self._train()
        except Stopped as stop:
            return self._stopped(stop.reason)
        except TrainingCollapsed as err:
            self.journal.collapsed(self.training.collapse(err))
            return self._end_early(JobStatus.COLLAPSED, str(err))
        except torch.OutOfMemoryError as err:
            log.warning("Job %s: %s", self.journal.record.id, err)
        else:
            if self.journal.record.gives_up:
                return self._end_early(JobStatus.FAILED, self.journal.record.reason or "")
            self._publish(self.order.promote, found, JobStatus.FINISHED)
            return self.journal.end(JobStatus.FINISHED)
        # Not in the handler: its traceback would keep the failed step's tensors alive.
        self.training.free_trainer()
        store, cache = self.context.store, self.context.cache
        advice = what_fits(self.order, store, cache=cache, device=self.device)
        return self._end_early(JobStatus.FAILED, advice)

    def _train(self) -> Measurement | None:
        """Train and evaluate the best snapshot; None where it cannot be evaluated."""
        training = self.training
        self.journal.phase(Phase.PREPARING)
        training.prepare()
        self.origin = Origin.of(training.trainer)
        if self.journal.record.gives_up:
            training.salvage()
            return None
        # Not earlier: a job canceled while paused may have a best snapshot in its state.
        training.check_stop()
        self.evaluator.prepare()
        training.check_stop()
        self.journal.phase(Phase.TRAINING)
        training.train()
        self.journal.phase(Phase.MEASURING)
        training.snapshot()
        return self.evaluator.version(training.snapshots.weights())

    def _stopped(self, reason: StopReason) -> JobRecord:
        if reason is StopReason.PAUSE:
            self.training.save()
            return self.journal.pause("The worker was stopped; the job resumes with the next one.")
        self.training.stop()
        return self._end_early(JobStatus.CANCELED, "Canceled.")

    def _end_early(self, status: JobStatus, reason: str) -> JobRecord:
        """End without a promotion; the best snapshot, if there is one, is published."""
        if self.training.snapshots.best is not None:
            self._publish(Promote.NEVER, None, status, reason)
        return self.journal.end(status, reason)

    def _end_published(self) -> JobRecord:
        """End a job whose last process died between publishing its version and its end."""
        events = self.context.store.jobs.events(self.journal.record.id)
        last = next(event for event in reversed(events) if event.type == "published")
        if last.data["promoted"]:
            self.publisher.promote(last.data["version"], last.data["reason"], since=last.at)
        status = JobStatus(last.data.get("status", JobStatus.FINISHED))
        is_finished = status is JobStatus.FINISHED
        return self.journal.end(status, None if is_finished else last.data["reason"])

    def _publish(
        self, wish: Promote, found: Measurement | None, status: JobStatus, why: str = ""
    ) -> None:
        self.journal.phase(Phase.PUBLISHING)
        snapshots = self.training.snapshots
        self.publisher.publish(
            self.origin,
            snapshots.weights(),
            snapshots.best or {},
            found=found,
            parent=self.training.parent,
            wish=wish,
            status=status,
            why=why,
        )
