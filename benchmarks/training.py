"""Measure training images a second beside a plain PyTorch DCGAN loop of the same size.

Both train 64 px pictures in one process, with the same networks, batch and device, in turns of
some steps, so that whatever else the machine does disturbs both alike; each figure is the
median of the turns. Ours is `models.trainer.Trainer` as a job runs it, averaging and mirroring
included; the other is `benchmarks.plain_dcgan`. The pictures are noise: their content costs
nothing.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from benchmarks.plain_dcgan import PlainLoop
from models.data import BatchStream
from models.precision import fastest_precision, pick_device
from models.recipes import Settings, recipe
from models.trainer import Trainer

SIZE_PX = 64
PICTURES = 2048


def main() -> None:
    """Print images a second of both, and the ratio."""
    arguments = _arguments()
    device = pick_device(arguments.device)
    settings = replace(recipe("dcgan").settings, width=arguments.width, batch=arguments.batch)
    ours, precision = _ours(settings, device)
    steps = {f"cattery ({precision})": ours, "plain (fp32)": _plain(settings, device)}
    rates = _in_turns(steps, settings.batch, arguments, device)
    print(f"dcgan 64 px, width {settings.width}, batch {settings.batch}, {_describe(device)}")
    for name, rate in rates.items():
        print(f"{name:16} {rate:10.1f} images/s")
    first, second = rates.values()
    print(f"{'ratio':16} {first / second:10.2f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--width", type=int, default=recipe("dcgan").settings.width)
    parser.add_argument("--batch", type=int, default=recipe("dcgan").settings.batch)
    parser.add_argument("--steps", type=int, default=10, help="in one turn")
    parser.add_argument("--turns", type=int, default=5, help="of each, after one to warm up")
    return parser.parse_args()


def _noise() -> np.ndarray:
    """Return (N, H, W, 3) uint8."""
    shape = (PICTURES, SIZE_PX, SIZE_PX, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _ours(settings: Settings, device: torch.device) -> tuple[Callable[[], object], str]:
    """Return our step, and the number format that it computes in."""
    precision = fastest_precision(device)
    stream = BatchStream(_noise(), settings.batch, 0, device)
    trainer = Trainer(
        recipe("dcgan"), settings, SIZE_PX, stream, seed=0, device=device, precision=precision
    )
    return trainer.step, precision.name


def _plain(settings: Settings, device: torch.device) -> Callable[[], object]:
    pictures = torch.from_numpy(_noise()).permute(0, 3, 1, 2)
    return PlainLoop(pictures, settings, device).step


def _in_turns(
    steps: dict[str, Callable[[], object]],
    batch: int,
    arguments: argparse.Namespace,
    device: torch.device,
) -> dict[str, float]:
    """Return the median of each one's images a second; the first turn only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.turns + 1):
        for name, step in steps.items():
            rates[name].append(arguments.steps * batch / _seconds(step, arguments.steps, device))
    return {name: median(values[1:]) for name, values in rates.items()}


def _seconds(step: Callable[[], object], count: int, device: torch.device) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads"


if __name__ == "__main__":
    main()
