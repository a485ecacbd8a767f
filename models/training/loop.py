"""Training as an iterator of step reports, which can stop after any step."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from models.store.records import Budget
from models.training.collapse import CHECK_EVERY, CollapseDetector
from models.training.trainer import StepLosses, Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did.

    Attributes:
        step: Generator updates so far.
        kimg: Thousand real images shown so far.
        training_s: Seconds spent in steps so far, earlier runs of the job included.
        losses: On the device until read.
    """

    step: int
    kimg: float
    training_s: float
    losses: StepLosses


def train(
    trainer: Trainer,
    budget: Budget,
    *,
    detector: CollapseDetector | None = None,
    training_s: float = 0.0,
    start_kimg: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[StepReport]:
    """Train until the budget is spent.

    Time between two reports, in which a caller may measure or save, is not
    counted. The trainer can be saved between any two reports.

    Args:
        trainer: New or resumed.
        budget: kimg or minutes of training.
        detector: Checks every 50th step, if given.
        training_s: Seconds already spent, of a resumed job.
        start_kimg: kimg that the trainer had when the job began, resumed from another job;
            they do not count.
        clock: Monotonic seconds.

    Yields:
        One report a step.

    Raises:
        TrainingCollapsed: By a rule of the detector.
    """
    team, stream = trainer.team, trainer.stream
    try:
        while team.agree(not is_spent(budget, stream.position / 1000 - start_kimg, training_s)):
            begun = clock()
            _expect(trainer, budget, start_kimg, training_s)
            losses = trainer.step()
            if detector and trainer.step_count % CHECK_EVERY == 0:
                detector.check(trainer.step_count, losses.values(), trainer.real, trainer.fake)
            # Only steps count: a slow disk or a snapshot must not shorten a budget in minutes.
            training_s += clock() - begun
            yield StepReport(
                step=trainer.step_count,
                kimg=stream.position / 1000,
                training_s=training_s,
                losses=losses,
            )
    except BaseException:
        # Whatever ends this loop, the other processes must not wait for the leader.
        team.agree(False)
        raise


def follow(trainer: Trainer) -> None:
    """Train in step with the leader, which alone decides, saves and evaluates, until it ends."""
    while trainer.team.agree(False):
        _share_expected_kimg(trainer)
        trainer.step()


def _expect(trainer: Trainer, budget: Budget, start_kimg: float, training_s: float) -> None:
    """Set the run's expected length, which shortens critic boosts, once it is known."""
    schedule = trainer.critic_schedule
    if schedule.expected_kimg is None and budget.kimg is not None:
        schedule.expected_kimg = start_kimg + budget.kimg
    elif schedule.expected_kimg is None and training_s > 0:  # the first step shows the speed
        rate = (trainer.stream.position / 1000 - start_kimg) / training_s
        schedule.expected_kimg = start_kimg + rate * 60 * (budget.minutes or 0.0)
    _share_expected_kimg(trainer)


def _share_expected_kimg(trainer: Trainer) -> None:
    if trainer.settings.critic_boost is not None:
        word = trainer.team.broadcast(str(trainer.critic_schedule.expected_kimg or "").encode())
        trainer.critic_schedule.expected_kimg = float(word) if word else None


def is_spent(budget: Budget, kimg: float, training_s: float) -> bool:
    """Return whether a budget is used up."""
    if budget.kimg is not None:
        return kimg >= budget.kimg
    return training_s >= 60 * (budget.minutes or 0.0)
