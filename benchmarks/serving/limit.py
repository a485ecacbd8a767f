"""The bare limit: forward pass and encoding in a loop, with no server around.

Two ways to make cats are measured, that of the contenders (torch in float32, Pillow) and
Cattery's own engine and encoder; and each in several shapes, of which the best is the limit.
Alone, the limit of one client: one request after the other, with one thread or one a core.
Loaded, the limit of many: besides, batches of sixteen cats, in one process with a thread a core
or in a process a core with one thread each, so that no idle core is taken for a limit.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.serving.cases import Case
from benchmarks.serving.processes import pinned
from benchmarks.serving.servers.painting import Order, Painter

ROOT = Path(__file__).parents[2]
MANY = 16
MAX_PROCESSES = 8

Work = Callable[[list[Order]], object]


def torch_and_pillow(weights: str, device: str, threads: int) -> Work:
    """Return what the contenders do for a batch of requests."""
    return Painter(weights, device, threads).answers


def catterys(weights: str, device: str, threads: int) -> Work:
    """Return what Cattery does for a batch of requests."""
    import torch

    from app.cats.archives import zip_of
    from models.images.formats import contact_sheet, encode_png
    from models.inference.checkpoints import load_generator
    from models.inference.engine import Engine
    from models.inference.registry import AUTO, pick_engine

    torch.set_num_threads(threads)
    engine = Engine(load_generator(Path(weights), device), device, pick_engine(AUTO, "", device))
    engine.warm()

    def work(orders: list[Order]) -> list[bytes]:
        pixels = engine.render([seed for order in orders for seed in order.seeds])
        bodies, begin = [], 0
        for order in orders:
            own = pixels[begin : begin + order.n]
            begin += order.n
            if order.format == "png":
                bodies.append(encode_png(contact_sheet(own)))
            else:
                named = zip(order.seeds, own, strict=True)
                bodies.append(zip_of({f"{seed}.png": encode_png(each) for seed, each in named}))
        return bodies

    return work


WAYS = {"torch": torch_and_pillow, "cattery": catterys}


class Bare:
    """Processes that make cats when they are told to.

    Args:
        way: Key in `WAYS`.
        weights: The generator's file.
        device: "cpu" or "cuda".
        cores: Where they may run.
    """

    def __init__(self, way: str, weights: Path, device: str, cores: Collection[int]) -> None:
        self._words = [way, str(weights), device]
        self._cores = cores
        self._singles: list[subprocess.Popen[str]] = []
        self._wide: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        """Start a process a core with one thread each, and one with a thread a core."""
        with pinned(self._cores):
            for number in range(min(len(self._cores), MAX_PROCESSES)):
                self._singles.append(self._start(1, number))
            self._wide.append(self._start(len(self._cores), MAX_PROCESSES))
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        for process in self._singles + self._wide:
            process.kill()
            process.communicate()

    def limit(self, case: Case, seconds: float) -> tuple[float, float]:
        """Return cats a second alone and loaded; each shape is measured for so long."""
        batch = max(1, MANY // case.images)
        shapes = (self._wide, self._singles[:1])
        alone = max(_cats_per_s(processes, case, 1, seconds) for processes in shapes)
        shapes = (self._wide, self._singles)
        loaded = max(_cats_per_s(processes, case, batch, seconds) for processes in shapes)
        return alone, max(alone, loaded)

    def _start(self, threads: int, number: int) -> "subprocess.Popen[str]":
        words = ["-m", "benchmarks.serving.limit", *self._words, str(threads), str(number)]
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _cats_per_s(
    processes: "Sequence[subprocess.Popen[str]]", case: Case, requests: int, seconds: float
) -> float:
    """Let processes work at the same time, and return what all make together.

    Each is asked twice: the first time for one batch only, so that all are ready.
    """
    total = 0.0
    for long in (0.0, seconds):
        for process in processes:
            assert process.stdin is not None
            line = {"images": case.images, "format": case.format, "batch": requests}
            process.stdin.write(json.dumps(line | {"seconds": long}) + "\n")
            process.stdin.flush()
        total = sum(float(process.stdout.readline()) for process in processes if process.stdout)
    return total


def main() -> None:
    """Be one of the processes: each line of JSON asks for cats, each answer is cats a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("weights")
    parser.add_argument("device")
    parser.add_argument("threads", type=int)
    parser.add_argument("number", type=int, help="tells processes apart: seeds never repeat")
    told = parser.parse_args()
    work = WAYS[told.way](told.weights, told.device, told.threads)
    seeds = itertools.count(told.number * 2**40, MANY)
    for line in sys.stdin:
        print(_loop(work, json.loads(line), seeds), flush=True)


def _loop(work: Work, asked: dict[str, Any], seeds: Iterator[int]) -> float:
    began = time.perf_counter()
    cats = 0
    while (passed_s := time.perf_counter() - began) < asked["seconds"] or not cats:
        orders = [
            Order(next(seeds), asked["images"], asked["format"]) for _ in range(asked["batch"])
        ]
        work(orders)
        cats += sum(order.n for order in orders)
    return cats / passed_s


if __name__ == "__main__":
    main()
