"""Measure training images a second of a recipe beside a plain PyTorch loop of the same networks.

Both train in one process, with the same networks (the same number of parameters, which is
checked), batch and device, in turns of some steps, so that whatever else the machine does
disturbs both alike; each figure is the median of the turns. Ours is
`models.training.trainer.Trainer` as a job runs it, averaging and mirroring included; the other is
`benchmarks.plain_dcgan` for `dcgan` at 64 px and `benchmarks.plain_loop` for all else. The
pictures are noise: their content costs nothing.

Aims: four times the plain loop on an H100 and 1.3 times on two CPU cores, both for `dcgan` at
width 64 and batch 64; 1,500 images a second of `projected` at 128 px on an H100.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import nn

from benchmarks.plain_dcgan import PlainDcgan
from benchmarks.plain_loop import PlainLoop
from models.cuda_graphs import WARM_UP
from models.datasets.batches import BatchStream
from models.devices import BFLOAT16, FLOAT32, Precision, fastest_precision, pick_device
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES, recipe
from models.hyperparameters import Settings
from models.training.trainer import Trainer

PICTURES = 512
PRECISIONS = {"fp32": (FLOAT32,), "bf16": (BFLOAT16,), "both": (FLOAT32, BFLOAT16)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure should reach.

    Attributes:
        device: Kind of device.
        of: Recipe and size in pixels.
        numbers: Settings it holds for.
        times: At least so many times the plain loop.
        images_per_s: At least so many images a second.
        on: The hardware it was set for.
    """

    device: str
    of: tuple[str, int]
    numbers: dict[str, int]
    times: float = 0.0
    images_per_s: float = 0.0
    on: str

    def __str__(self) -> str:
        what = f"{self.times:g} times the plain loop" if self.times else ""
        return f"at least {what or f'{self.images_per_s:g} images/s'} on {self.on}"


SMALL = {"width": 64, "batch": 64}
AIMS = (
    Aim(device="cuda", of=("dcgan", 64), numbers=SMALL, times=4.0, on="an H100"),
    Aim(device="cpu", of=("dcgan", 64), numbers=SMALL, times=1.3, on="two CPU cores"),
    Aim(device="cuda", of=("projected", 128), numbers={}, images_per_s=1500.0, on="an H100"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured, and on what."""

    recipe: Recipe
    size_px: int
    settings: Settings
    device: torch.device

    @property
    def images_per_step(self) -> int:
        """Real pictures that one generator step shows; boosts of a critic are not measured."""
        return self.settings.batch * (self.settings.critic_steps or 1)

    def __str__(self) -> str:
        numbers = f"width {self.settings.width}, batch {self.settings.batch}"
        return f"{self.recipe.name} {self.size_px} px, {numbers}, {_describe(self.device)}"


def main() -> None:
    """Print images a second of each, ratios and aims."""
    arguments = _arguments()
    row, device = recipe(arguments.recipe), pick_device(arguments.device)
    settings = row.with_overrides(_overrides(arguments))
    case = Case(row, arguments.size or row.default_size_px, settings, device)
    precisions = PRECISIONS.get(arguments.precision) or (fastest_precision(device),)
    print(case, flush=True)
    print_rates(case, measure(case, precisions, arguments.steps, arguments.turns))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="dcgan", choices=list(RECIPES))
    parser.add_argument("--size", type=int, help="side of the pictures; the recipe's own")
    parser.add_argument("--width", type=int, help="of the networks; the recipe's own")
    parser.add_argument("--batch", type=int, help="the recipe's own")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--precision", default="fastest", choices=["fastest", *PRECISIONS], help="of ours"
    )
    parser.add_argument("--steps", type=int, default=10, help="in one turn")
    parser.add_argument("--turns", type=int, default=5, help="of each, after one to warm up")
    return parser.parse_args()


def _overrides(arguments: argparse.Namespace) -> dict[str, float]:
    given = {"width": arguments.width, "batch": arguments.batch}
    pairs = (text.partition("=") for text in arguments.set)
    numbers = {name: float(value) for name, _, value in pairs}
    return {**numbers, **{name: value for name, value in given.items() if value is not None}}


def measure(
    case: Case, precisions: tuple[Precision, ...], steps: int, turns: int
) -> dict[str, float]:
    """Return images a second of ours in each number format, and of the plain loop, last."""
    ours = {f"cattery ({p.name})": _ours(case, p) for p in precisions}
    plain = _plain(case)
    counts = [_parameters(networks) for networks in (*ours.values(), plain)]
    assert len(set(counts)) == 1, f"these are not the same networks: {counts} parameters"
    calls: dict[str, Callable[[], object]] = {name: t.step for name, t in ours.items()}
    return _in_turns({**calls, "plain (fp32)": plain.step}, case, steps, turns)


def _noise(size_px: int) -> np.ndarray:
    """Return (N, H, W, 3) uint8."""
    shape = (PICTURES, size_px, size_px, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _ours(case: Case, precision: Precision) -> Trainer:
    stream = BatchStream(_noise(case.size_px), case.settings.batch, 0, case.device)
    return Trainer(
        case.recipe,
        case.settings,
        case.size_px,
        stream,
        seed=0,
        device=case.device,
        precision=precision,
    )


def _plain(case: Case) -> PlainDcgan | PlainLoop:
    pictures = torch.from_numpy(_noise(case.size_px)).permute(0, 3, 1, 2).contiguous()
    if (case.recipe.name, case.size_px) == ("dcgan", 64):
        return PlainDcgan(pictures, case.settings, case.device)
    return PlainLoop(case.recipe, pictures, case.settings, case.device)


def _parameters(trains: Trainer | PlainDcgan | PlainLoop) -> tuple[int, int]:
    """Return how many numbers generator and discriminator have."""

    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    return count(trains.generator), count(trains.discriminator)


def _in_turns(
    calls: dict[str, Callable[[], object]], case: Case, steps: int, turns: int
) -> dict[str, float]:
    """Return the median of each one's images a second; a first turn only warms up."""
    for step in calls.values():
        _seconds(step, max(steps, WARM_UP + 2 if case.device.type == "cuda" else 1), case.device)
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, step in calls.items():
            shown = steps * case.images_per_step
            rates[name].append(shown / _seconds(step, steps, case.device))
    return {name: median(values) for name, values in rates.items()}


def _seconds(step: Callable[[], object], count: int, device: torch.device) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def print_rates(case: Case, rates: dict[str, float]) -> None:
    """Print each rate, how many times the plain loop's it is, and what it should be."""
    *ours, (plain, plain_rate) = rates.items()
    for name, rate in ours:
        print(f"{name:16} {rate:10.1f} images/s  {rate / plain_rate:6.2f} times the plain loop")
    print(f"{plain:16} {plain_rate:10.1f} images/s", flush=True)
    best = max(rate for _, rate in ours)
    for aim in AIMS:
        if _applies(aim, case):
            is_met = best / plain_rate >= aim.times and best >= aim.images_per_s
            print(f"{'aim':16} {aim}: {'met' if is_met else 'missed'}", flush=True)


def _applies(aim: Aim, case: Case) -> bool:
    numbers = case.settings.given()
    same = all(numbers[name] == value for name, value in aim.numbers.items())
    return same and (case.device.type, case.recipe.name, case.size_px) == (aim.device, *aim.of)


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads"


if __name__ == "__main__":
    main()
