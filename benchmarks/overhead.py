"""Measure the share of a job's time that does not train.

A real job trains on a real dataset in this process; the functions that sample, note progress,
save states and measure snapshots are timed from outside. The time is that from the first step
to the last; what comes before (statistics of the real pictures) and after (the final measurement,
publishing) is no part of it.

Aims: sampling, progress and saved states below 5 % together, measuring snapshots at most 10 %.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.jobs import carry_out, context_with
from benchmarks.service import PICTURES
from models.gan.recipes import RECIPES, recipe
from models.jobs.training_run import TrainingRun
from models.store.journal import Journal
from models.store.records import Budget, JobRecord, Promote, TrainingOrder

DATASET = "benchmark"
FAKES = 512
"""Pictures of the final measurement, which no figure here is of; not fewer than a snapshot's."""

PARTS = {
    "sampling": (TrainingRun, "_sample"),
    "progress": (Journal, "progress"),
    "saved states": (TrainingRun, "save"),
    "snapshots": (TrainingRun, "snapshot"),
}
MAKES = ("progress",)
"""Parts that are called at every step and mostly do nothing: they are timed when they do."""
WHOLE = (TrainingRun, "train")

AIMS = {("sampling", "progress", "saved states"): 0.05, ("snapshots",): 0.10}
"""Parts, and the share of the whole that they may take together."""


@dataclass
class Clock:
    """Seconds of each part, counted only while the whole runs."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    whole_s: float = 0.0
    is_running: bool = False

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function of a part, timed."""

        def call(*arguments: Any) -> Any:
            began = _now()
            try:
                return function(*arguments)
            finally:
                self._add(name, began)

        return call

    def timed_if_it_makes(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that mostly only looks at the time, timed from its call of `make`."""

        def call(owner: Any, make: Callable[[], Any], **named: Any) -> Any:
            began: list[float] = []

            def made() -> Any:
                began.append(_now())
                return make()

            try:
                return function(owner, made, **named)
            finally:
                if began:
                    self._add(name, began[0])

        return call

    def _add(self, name: str, began: float) -> None:
        if self.is_running:
            self.seconds[name] += _now() - began
            self.calls[name] += 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function of the whole, timed."""

        def call(*arguments: Any) -> Any:
            began, self.is_running = _now(), True
            try:
                return function(*arguments)
            finally:
                self.whole_s, self.is_running = _now() - began, False

        return call


def _now() -> float:
    """Return seconds, once a GPU has done the steps that it still owed: they are training."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def timing() -> Iterator[Clock]:
    """Time the parts of whatever job runs meanwhile."""
    clock = Clock()
    with ExitStack() as patches:
        for name, (owner, method) in PARTS.items():
            time_it = clock.timed_if_it_makes if name in MAKES else clock.timed
            timed = time_it(name, getattr(owner, method))
            patches.enter_context(patch.object(owner, method, timed))
        owner, method = WHOLE
        patches.enter_context(patch.object(owner, method, clock.around(getattr(owner, method))))
        yield clock


def main() -> None:
    """Print what a job spent on what."""
    arguments = _arguments()
    row = recipe(arguments.recipe)
    given = {"width": arguments.width, "batch": arguments.batch}
    order = TrainingOrder(
        recipe=row.name,
        dataset=DATASET,
        model="benchmark",
        size_px=arguments.size or row.default_size_px,
        budget=Budget(minutes=arguments.minutes),
        overrides={name: value for name, value in given.items() if value is not None},
        promote=Promote.NEVER,
    )
    with context_with(arguments.pictures, DATASET, arguments.device) as context, timing() as clock:
        record = carry_out(replace(context, fakes=FAKES), order)
    print_shares(order, record, clock)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="dcgan", choices=list(RECIPES))
    parser.add_argument("--size", type=int, help="side of the pictures; the recipe's own")
    parser.add_argument("--width", type=int, help="of the networks; the recipe's own")
    parser.add_argument("--batch", type=int, help="the recipe's own")
    parser.add_argument("--minutes", type=float, default=10, help="the job's budget")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder to train on")
    return parser.parse_args()


def print_shares(order: TrainingOrder, record: JobRecord, clock: Clock) -> None:
    """Print what a job spent on what, and whether that is as little as it should be."""
    trained = f"{record.progress.kimg:g} kimg, {clock.whole_s:.0f} s"
    threads = f"{torch.get_num_threads()} CPU threads"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else threads
    print(f"{order.recipe} {order.size_px} px {order.overrides or ''}: {trained}, {device}")
    for name, seconds in clock.seconds.items():
        share = 100 * seconds / clock.whole_s
        print(f"{name:14} {seconds:8.1f} s {share:6.2f} %  {clock.calls[name]:4} times")
    for names, limit in AIMS.items():
        share = sum(clock.seconds[name] for name in names) / clock.whole_s
        verdict = "met" if share <= limit else "missed"
        print(f"{' + '.join(names)}: {100 * share:.1f} %, aim {100 * limit:g} %: {verdict}")


if __name__ == "__main__":
    main()
