"""One training job from order to published version, whoever runs it.

Worker and command line share this: it takes up a job where its last process
left it, keeps its record and history, saves state, measures snapshots, and
publishes the best one.
"""

import hashlib
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from models.checkpoints import Generator, load_generator, save_generator
from models.data import BatchStream, open_pack
from models.engine import Engine
from models.errors import CatteryError, LeaseLost, TrainingDiverged
from models.gate import Verdict, judge
from models.images import contact_sheet, encode_png
from models.journal import Journal
from models.metrics.features import Features
from models.metrics.frechet import Reference
from models.metrics.measuring import measure, reference_statistics
from models.precision import fastest_precision, pick_device
from models.provenance import make_card
from models.recipes import recipe
from models.schedule import Schedule
from models.store import Store
from models.store.records import (
    JobRecord,
    JobStatus,
    Json,
    Phase,
    Progress,
    Promote,
    TrainingOrder,
)
from models.trainer import Trainer
from models.training import StepReport, is_spent, train
from models.training_state import load_state, save_state

STATE = "trainer.safetensors"
SHEET_SEEDS = 16
CARD_SEEDS = 64

log = logging.getLogger(__name__)


class StopReason(StrEnum):
    """Why a run should stop before its budget is spent."""

    CANCEL = "cancel"
    PAUSE = "pause"


class _Stopped(Exception):
    def __init__(self, reason: StopReason) -> None:
        self.reason = reason


def run_training(
    record: JobRecord,
    store: Store,
    *,
    cache: Path,
    lease: Callable[[], bool],
    should_stop: Callable[[], StopReason | None],
    announce: Callable[[str], None],
    device: str = "auto",
    threads: int | None = None,
    checkpoint_s: float = 30.0,
) -> JobRecord:
    """Carry out a training job.

    Args:
        record: The job as it is now: new, or interrupted earlier.
        store: Where everything is kept.
        cache: Local folder for copies of a remote store's files.
        lease: Tells whether this process still holds the job.
        should_stop: Asked between steps.
        announce: Is told the model whose alias moved.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; PyTorch's default if None.
        checkpoint_s: Seconds between two saved states.

    Returns:
        The record as it ended, or as it waits again after a pause. Whatever
        goes wrong ends the job with its reason; nothing but a lost lease is raised.

    Raises:
        LeaseLost: Another process holds the job now.
    """
    journal = Journal(record, store, lease)
    try:
        if threads:
            torch.set_num_threads(threads)
        run = _Run(journal, store, cache, pick_device(device), should_stop, announce, checkpoint_s)
        return run.carry_out()
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
        store: Store,
        cache: Path,
        device: torch.device,
        should_stop: Callable[[], StopReason | None],
        announce: Callable[[str], None],
        checkpoint_s: float,
    ) -> None:
        self.journal, self.store, self.cache, self.device = journal, store, cache, device
        self.should_stop, self.announce = should_stop, announce
        self.order = cast("TrainingOrder", store.jobs.order(journal.record))
        self.state = store.jobs.state(journal.record.id)
        self.epoch = self.state.take()
        self.dataset = store.datasets.get(self.order.dataset)
        self.schedule = Schedule(self.order.budget, checkpoint_s)
        self.best: Json | None = None
        self.measured_kimg: float | None = None
        self.training_s = 0.0
        self.start_kimg = 0.0
        self.parent: str | None = None
        self.features: Features | None = None

    def carry_out(self) -> JobRecord:
        self.journal.start()
        try:
            self.journal.phase(Phase.PREPARING)
            self._prepare()
            # Not before: a job canceled while it waited for its second process may have a best
            # snapshot, which only its state knows.
            self._check_stop()
            self.reference = self._reference()
            self._check_stop()
            self.journal.phase(Phase.TRAINING)
            self._train()
            self.journal.phase(Phase.MEASURING)
            self._snapshot()
        except _Stopped as stop:
            return self._stopped(stop.reason)
        except TrainingDiverged as err:
            return self._end_early(JobStatus.COLLAPSED, str(err))
        self._publish(self.order.promote)
        return self.journal.end(JobStatus.FINISHED)

    def _stopped(self, reason: StopReason) -> JobRecord:
        if reason is StopReason.PAUSE:
            self._save_state()
            return self.journal.pause("The worker was stopped; the job goes on with the next one.")
        return self._end_early(JobStatus.CANCELED, "It was canceled.")

    def _end_early(self, status: JobStatus, reason: str) -> JobRecord:
        """End without a promotion; what was good enough to be kept is published."""
        if self.best is not None:
            self._publish(Promote.NEVER, reason)
        return self.journal.end(status, reason)

    # --- preparing

    def _prepare(self) -> None:
        self.row = recipe(self.order.recipe)
        self.settings = self.row.with_overrides(self.order.overrides)
        size, place = self.order.size_px, self.cache
        pack = self.store.datasets.pack_path(self.dataset.name, size, heldout=False, cache=place)
        stream = BatchStream(open_pack(pack), self.settings.batch, self.order.seed, self.device)
        self.trainer = Trainer(
            self.row,
            self.settings,
            size,
            stream,
            seed=self.order.seed,
            device=self.device,
            precision=fastest_precision(self.device),
        )
        self._load_state()

    def _reference(self) -> Reference:
        size, cache = self.order.size_px, self.cache
        return reference_statistics(self.store, self.dataset, size, cache=cache, device=self.device)

    def _load_state(self) -> None:
        own = self.state.newest_path(STATE, self.cache)
        if own is not None:
            extra = load_state(self.trainer, str(own))
            self.training_s, self.start_kimg = extra["training_s"], extra["start_kimg"]
            self.best, self.parent = extra["best"], extra["parent"]
            self.measured_kimg = extra["measured_kimg"]
            self.schedule.resume(extra["schedule"])
            self._carry_best()
            self.journal.event("resumed", {"kimg": self._kimg()})
        elif self.order.resume_from:
            source = self.store.jobs.get(self.order.resume_from)
            path = self.store.jobs.state(source.id).newest_path(STATE, self.cache)
            if path is None:
                raise CatteryError(f"The training state of job {source.id} is gone.")
            load_state(self.trainer, str(path))
            self.start_kimg, self.parent = self._kimg(), source.version
            self.journal.event("resumed", {"kimg": self._kimg(), "from": source.id})

    def _carry_best(self) -> None:
        """Bring the best snapshot into this epoch, so that older ones can be dropped."""
        if self.best is None:
            return
        weights = self.state.newest(_best_file(self.best))
        if weights is None:
            self.best = self.measured_kimg = None  # measured again at the next chance
            return
        self.state.write(self.epoch, _best_file(self.best), weights)

    # --- training

    def _train(self) -> None:
        budget = self.order.budget
        self._sample()
        reports = train(
            self.trainer, budget, training_s=self.training_s, start_kimg=self.start_kimg
        )
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
        pixels = self._engine(self.trainer.average.module).render(range(SHEET_SEEDS))
        label = f"{self._kimg():.3f}".rstrip("0").rstrip(".")
        self.journal.sample(label, encode_png(contact_sheet(pixels)))

    def _engine(self, network: nn.Module) -> Engine:
        config: dict[str, Any] = {"size_px": self.order.size_px, "z_dim": self.settings.z_dim}
        return Engine(Generator(network, {}, config), self.device)

    # --- measuring and keeping

    def _save_state(self) -> None:
        extra = {
            "training_s": self.training_s,
            "start_kimg": self.start_kimg,
            "best": self.best,
            "parent": self.parent,
            "measured_kimg": self.measured_kimg,
            "schedule": self.schedule.state(),
        }
        self.state.write(self.epoch, STATE, save_state(self.trainer, extra))
        self.state.prune(self.epoch)
        self.schedule.checkpointed()

    def _snapshot(self) -> None:
        """Measure the average as it is now and keep it if it is the best so far."""
        if self.measured_kimg == self._kimg():
            return
        network = self.trainer.average.module
        weights = save_generator(network, kind=self.row.network, config=self.trainer.config)
        metric = self._measure(load_generator(weights))
        found = {"kimg": round(self._kimg(), 3), "metric": metric, "training_s": self.training_s}
        if self.best is None or _value(metric) < _value(self.best["metric"]):
            self.best = {**found, "sha256": hashlib.sha256(weights).hexdigest()}
            self.state.write(self.epoch, _best_file(self.best), weights)
        self.measured_kimg = self._kimg()
        self.journal.snapshot(found, self.best)

    def _measure(self, generator: Generator) -> Json | None:
        """Return the metric, or None where it could not be computed (which never promotes)."""
        try:
            if self.features is None:
                self.features = Features(self.device)
            return measure(generator, self.reference, self.features, self.device)
        except (CatteryError, ArithmeticError, ValueError) as err:
            log.warning("Job %s could not be measured: %s", self.journal.record.id, err)
            return None

    # --- publishing

    def _publish(self, wish: Promote, why: str = "") -> None:
        self.journal.phase(Phase.PUBLISHING)
        best = self.best
        weights = None if best is None else self.state.newest(_best_file(best))
        if weights is None or best is None:
            raise CatteryError("The best snapshot is gone from the job's state.")
        card = make_card(
            self.trainer,
            self.order,
            self.journal.record,
            self.dataset,
            kimg=best["kimg"],
            training_s=best["training_s"],
            metric=best["metric"],
            parent=self.parent,
        )
        engine = Engine(load_generator(weights), self.device)
        sheet = encode_png(contact_sheet(engine.render(range(CARD_SEEDS))))
        card = self.store.versions.publish(self.order.model, weights, card, sheet)
        self._promote(card.version, best["metric"], wish, why)

    def _promote(self, version: str, metric: Json | None, wish: Promote, why: str) -> None:
        def measure_same(generator: Generator) -> Json:
            found = self._measure(generator)
            if found is None:
                raise CatteryError("its metric could not be computed.")
            return found

        model = self.order.model
        verdict = judge(self.store, model, metric, wish, measure_same)
        if why:
            verdict = Verdict(promote=False, reason=why)
        decision = {"decision": "promoted" if verdict.promote else "kept back"}
        promotion = {**decision, "reason": verdict.reason}
        self.store.versions.update_card(model, version, promotion=promotion)
        if verdict.promote:
            self.store.aliases.promote(model, version, reason=verdict.reason)
            self.announce(model)
        self.journal.published(version, promoted=verdict.promote, reason=verdict.reason)


def _best_file(best: Json) -> str:
    """Name the best weights by their sum: a kill between two writes cannot pair wrongly."""
    return f"best-{best['sha256'][:12]}.safetensors"


def _value(metric: Json | None) -> float:
    """Order metrics; one that could not be computed is worse than any."""
    return float("inf") if metric is None else float(metric["value"])
