"""Training as an iterator of step reports: prints nothing, knows no queue, stops anywhere."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from models.errors import TrainingDiverged
from models.store.records import Budget
from models.trainer import StepLosses, Trainer

CHECK_EVERY = 50
"""Steps between two looks at the losses (reading them back makes a GPU wait)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did.

    Attributes:
        step: Generator updates so far.
        kimg: Thousand real pictures shown so far.
        training_s: Seconds spent in steps so far, earlier runs of the job included.
        losses: Left on the device until they are read.
    """

    step: int
    kimg: float
    training_s: float
    losses: StepLosses


def train(
    trainer: Trainer,
    budget: Budget,
    *,
    training_s: float = 0.0,
    start_kimg: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[StepReport]:
    """Train until the budget is spent.

    Time between two reports, in which a caller may measure or save, is not
    counted. The trainer can be saved between any two reports.

    Args:
        trainer: What is trained, new or resumed.
        budget: kimg or minutes of training.
        training_s: Seconds already spent when a job goes on.
        start_kimg: kimg that the trainer had when the job began (not zero when a
            job goes on from another job's state); they do not count.
        clock: Monotonic seconds.

    Yields:
        One report a step.

    Raises:
        TrainingDiverged: A loss stopped being finite.
    """
    while not is_spent(budget, trainer.stream.position / 1000 - start_kimg, training_s):
        begun = clock()
        losses = trainer.step()
        if trainer.step_count % CHECK_EVERY == 0:
            _check_finite(trainer, losses)
        training_s += clock() - begun
        yield StepReport(
            step=trainer.step_count,
            kimg=trainer.stream.position / 1000,
            training_s=training_s,
            losses=losses,
        )


def is_spent(budget: Budget, kimg: float, training_s: float) -> bool:
    """Tell whether a budget is used up."""
    if budget.kimg is not None:
        return kimg >= budget.kimg
    return training_s >= 60 * (budget.minutes or 0.0)


def _check_finite(trainer: Trainer, losses: StepLosses) -> None:
    for name, value in losses.values().items():
        if not torch.isfinite(torch.tensor(value)):
            raise TrainingDiverged(trainer.step_count, name)
