"""One training job from order to published version, whoever runs it.

Worker and command line share this: it takes up a job where its last process
left it, keeps its record and history, saves state, measures snapshots, and
publishes the best one.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import torch

from models.devices import pick_device
from models.errors import CatteryError, LeaseLost, TrainingCollapsed
from models.images.formats import contact_sheet, encode_png
from models.inference.checkpoints import Generator, save_generator
from models.inference.engine import Engine
from models.jobs.snapshots import Snapshots
from models.metrics.measuring import Measurement
from models.publishing.card import Origin
from models.publishing.evaluation import Appraiser
from models.publishing.publish import Publisher
from models.store import Store
from models.store.journal import Journal
from models.store.records import JobRecord, JobStatus, Phase, Progress, Promote, TrainingOrder
from models.training.collapse import Watch
from models.training.distributed import SOLO, Team
from models.training.loop import StepReport, is_spent, train
from models.training.schedule import Schedule
from models.training.setup import build_trainer, what_fits
from models.training.state import load_state, save_state

STATE = "trainer.safetensors"
SHEET_SEEDS = 16

log = logging.getLogger(__name__)


class StopReason(StrEnum):
    """Why a run should stop before its budget is spent."""

    CANCEL = "cancel"
    PAUSE = "pause"


class _Stopped(Exception):
    def __init__(self, reason: StopReason) -> None:
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how runs are carried out.

    Attributes:
        store: Where everything is kept.
        cache: Local folder for copies of a remote store's files.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; PyTorch's default if None.
        checkpoint_s: Seconds between two saved states.
        fakes: Pictures made to measure a version; the protocol's own number if None.
        team: The processes that train together; this one leads.
    """

    store: Store
    cache: Path
    device: str = "auto"
    threads: int | None = None
    checkpoint_s: float = 30.0
    fakes: int | None = None
    team: Team = SOLO


def run_training(
    record: JobRecord,
    place: Place,
    *,
    lease: Callable[[], bool],
    should_stop: Callable[[], StopReason | None],
    announce: Callable[[str], None],
) -> JobRecord:
    """Carry out a training job.

    Args:
        record: The job as it is now: new, or interrupted earlier.
        place: Where and how.
        lease: Tells whether this process still holds the job.
        should_stop: Asked between steps.
        announce: Is told the model whose alias moved.

    Returns:
        The record as it ended, or as it waits again after a pause. Whatever
        goes wrong ends the job with its reason; nothing but a lost lease is raised.

    Raises:
        LeaseLost: Another process holds the job now.
    """
    journal = Journal(record, place.store, lease)
    try:
        if place.threads:
            torch.set_num_threads(place.threads)
        return _Run(journal, place, should_stop, announce).carry_out()
    except LeaseLost:
        raise
    except CatteryError as err:
        return journal.end(JobStatus.FAILED, str(err))
    except Exception as err:
        log.exception("Job %s failed", record.id)
        return journal.end(JobStatus.FAILED, f"{type(err).__name__}: {err}")


class _Run:
    def __init__(
        self,
        journal: Journal,
        place: Place,
        should_stop: Callable[[], StopReason | None],
        announce: Callable[[str], None],
    ) -> None:
        self.journal, self.place, self.should_stop = journal, place, should_stop
        store, self.device = place.store, pick_device(place.device)
        self.order = cast("TrainingOrder", store.jobs.order(journal.record))
        self.state = store.jobs.state(journal.record.id)
        self.epoch = self.state.take()
        dataset = store.datasets.get(self.order.dataset)
        self.appraiser = Appraiser(
            store, dataset, self.order.size_px, place.cache, self.device, place.fakes
        )
        self.snapshots = Snapshots(journal, self.state, self.epoch, self.appraiser.snapshot)
        self.schedule = Schedule(self.order.budget, place.checkpoint_s)
        self.publisher = Publisher(
            store=store,
            journal=journal,
            order=self.order,
            dataset=dataset,
            device=self.device,
            appraiser=self.appraiser,
            announce=announce,
        )
        self.training_s = 0.0
        self.start_kimg = 0.0
        self.parent: str | None = None

    def carry_out(self) -> JobRecord:
        self.journal.start()
        try:
            self.journal.phase(Phase.PREPARING)
            self._prepare()
            # Not before: a job canceled while it waited for its second process may have a best
            # snapshot, which only its state knows.
            self._check_stop()
            self.appraiser.prepare()
            self._check_stop()
            self.journal.phase(Phase.TRAINING)
            self._train()
            self.journal.phase(Phase.MEASURING)
            self._snapshot()
            found = self.appraiser.version(self.snapshots.weights())
        except _Stopped as stop:
            return self._stopped(stop.reason)
        except TrainingCollapsed as err:
            return self._end_early(JobStatus.COLLAPSED, str(err))
        except torch.OutOfMemoryError as err:
            log.warning("Job %s: %s", self.journal.record.id, err)
        else:
            self._publish(self.order.promote, found)
            return self.journal.end(JobStatus.FINISHED)
        # Only here is the failed step's traceback gone, and with it what its tensors held.
        vars(self).pop("trainer", None)  # there is none yet if building it took too much
        advice = what_fits(self.order, self.place.store, cache=self.place.cache, device=self.device)
        return self._end_early(JobStatus.FAILED, advice)

    def _stopped(self, reason: StopReason) -> JobRecord:
        if reason is StopReason.PAUSE:
            self._save_state()
            return self.journal.pause("The worker was stopped; the job goes on with the next one.")
        return self._end_early(JobStatus.CANCELED, "It was canceled.")

    def _end_early(self, status: JobStatus, reason: str) -> JobRecord:
        """End without a promotion; what was good enough to be kept is published."""
        if self.snapshots.best is not None:
            self._publish(Promote.NEVER, None, reason)
        return self.journal.end(status, reason)

    # --- preparing

    def _prepare(self) -> None:
        place = self.place
        place.team.hear(self.journal.record.id.encode())
        self.trainer = build_trainer(
            self.order, place.store, cache=place.cache, device=self.device, team=place.team
        )
        self.origin = Origin.of(self.trainer)
        self.watch = Watch(self.trainer.recipe.objective.chance)
        self._load_state()
        if place.team.size > 1:
            place.team.hear(save_state(self.trainer, {}))

    def _load_state(self) -> None:
        jobs, cache = self.place.store.jobs, self.place.cache
        own = self.state.newest_path(STATE, cache)
        if own is not None:
            extra = load_state(self.trainer, str(own))
            self.training_s, self.start_kimg = extra["training_s"], extra["start_kimg"]
            self.parent = extra["parent"]
            self.schedule.resume(extra["schedule"])
            self.watch.resume(extra["watch"])
            self.snapshots.resume(extra["snapshots"])
            self.journal.event("resumed", {"kimg": self._kimg()})
        elif self.order.resume_from:
            source = jobs.get(self.order.resume_from)
            path = jobs.state(source.id).newest_path(STATE, cache)
            if path is None:
                raise CatteryError(f"The training state of job {source.id} is gone.")
            load_state(self.trainer, str(path))
            self.start_kimg, self.parent = self._kimg(), source.version
            self.journal.event("resumed", {"kimg": self._kimg(), "from": source.id})

    # --- training

    def _train(self) -> None:
        budget = self.order.budget
        self._sample()
        reports = train(
            self.trainer,
            budget,
            watch=self.watch,
            training_s=self.training_s,
            start_kimg=self.start_kimg,
        )
        with closing(reports):  # at once, whatever ends the loop: a team waits for its word
            for report in reports:
                self.training_s = report.training_s
                done = is_spent(budget, report.kimg - self.start_kimg, report.training_s)
                self.journal.progress(lambda r=report: self._progress(r), force=done)  # type: ignore[misc]
                self._between_steps(report)
        self._save_state()
        self._sample()

    def _between_steps(self, report: StepReport) -> None:
        spent = self.schedule.spent(report.kimg - self.start_kimg, report.training_s)
        self._check_stop()
        if self.schedule.sample_is_due(spent):
            self._sample()
        if self.schedule.snapshot_is_due(spent):
            self._snapshot()
            self._save_state()
        elif self.schedule.checkpoint_is_due():
            self._save_state()

    def _check_stop(self) -> None:
        if not self.schedule.look_is_due():
            return
        reason = self.should_stop()
        if reason is not None:
            raise _Stopped(reason)

    def _kimg(self) -> float:
        return self.trainer.stream.position / 1000

    def _progress(self, report: StepReport) -> Progress:
        budget = self.order.budget
        shown = report.kimg - self.start_kimg
        spent = self.schedule.spent(shown, report.training_s)
        left = report.training_s * (1 - spent) / spent if spent > 0 else None
        return Progress(
            kimg=round(report.kimg, 3),
            kimg_total=None if budget.kimg is None else round(budget.kimg + self.start_kimg, 3),
            training_s=round(report.training_s, 2),
            training_s_total=None if budget.minutes is None else 60 * budget.minutes,
            step=report.step,
            images_per_s=round(1000 * shown / max(report.training_s, 1e-9), 1),
            eta_s=None if left is None else round(max(left, 0.0), 1),
            losses={name: round(value, 4) for name, value in report.losses.values().items()},
        )

    def _sample(self) -> None:
        config: dict[str, Any] = {
            "size_px": self.order.size_px,
            "z_dim": self.trainer.settings.z_dim,
        }
        header = {"network": self.trainer.recipe.network}
        engine = Engine(Generator(self.trainer.snapshot(), header, config), self.device)
        label = f"{self._kimg():.3f}".rstrip("0").rstrip(".")
        self.journal.sample(label, encode_png(contact_sheet(engine.render(range(SHEET_SEEDS)))))

    # --- measuring and keeping

    def _save_state(self) -> None:
        extra = {
            "training_s": self.training_s,
            "start_kimg": self.start_kimg,
            "parent": self.parent,
            "schedule": self.schedule.state(),
            "watch": self.watch.state(),
            "snapshots": self.snapshots.state(),
        }
        self.state.write(self.epoch, STATE, save_state(self.trainer, extra))
        self.state.prune(self.epoch)
        self.schedule.checkpointed()

    def _snapshot(self) -> None:
        self.snapshots.take(self._weights, self._kimg(), self.training_s)

    def _weights(self) -> bytes:
        kind, config = self.trainer.recipe.network, self.trainer.config
        return save_generator(self.trainer.snapshot(), kind=kind, config=config)

    def _publish(self, wish: Promote, found: Measurement | None, why: str = "") -> None:
        self.journal.phase(Phase.PUBLISHING)
        self.publisher.publish(
            self.origin,
            self.snapshots.weights(),
            self.snapshots.best or {},
            found=found,
            parent=self.parent,
            wish=wish,
            why=why,
        )
