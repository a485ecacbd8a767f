"""Run everything that needs a GPU, and print the figures: `make gpu-check`.

Four parts, all of them or those that are named:

tests    every test in `tests/gpu`
figures  training images a second beside a plain loop (`benchmarks.training`)
dcgan    `dcgan` at 64 px, trained for 255 s, then measured by the protocol `lab`
projected  `projected` at 256 px, for 450 s, likewise

The last two want a dataset of real pictures: one of the store in CATTERY_DATA, or a folder
that is imported into it (into a store of its own, gone afterwards, where CATTERY_DATA is not
set). Without one they are left out, which is said. Nothing asks a question.

Aims, on an H100: `benchmarks.training`'s; the lab's figures, which are printed beside ours; and
those of `benchmarks.overhead`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import overhead, training
from benchmarks.jobs import carry_out
from models.devices import fastest_precision
from models.gan.recipes import recipe
from models.inference.checkpoints import load_generator
from models.jobs.context import JobContext
from models.jobs.dataset_import import import_dataset
from models.metrics.features import Features
from models.metrics.measuring import measure, reference_statistics
from models.metrics.protocols import PROTOCOLS
from models.store import Store
from models.store.records import Budget, JobRecord, Promote, TrainingOrder

ROOT = Path(__file__).parents[1]
DATASET = "gpu-check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of training speed: a recipe, its size, and numbers in place of its own."""

    recipe: str
    size_px: int
    numbers: dict[str, int]
    steps: int


FIGURES = (
    Figure(recipe="dcgan", size_px=64, numbers={"width": 64, "batch": 64}, steps=100),
    Figure(recipe="dcgan", size_px=64, numbers={"width": 128, "batch": 64}, steps=50),
    Figure(recipe="projected", size_px=128, numbers={"batch": 64}, steps=20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A training whose quality the lab has a figure of."""

    recipe: str
    size_px: int
    seconds: float
    lab: str


TRIALS = {
    "dcgan": Trial(
        recipe="dcgan",
        size_px=64,
        seconds=255.0,
        lab="FD 11.7, KID 9.4e-3 after 255 s, 4,141 kimg (one H100, 8,778 pictures)",
    ),
    "projected": Trial(
        recipe="projected",
        size_px=256,
        seconds=450.0,
        lab="FD 31.0 after 445 s, 146 kimg (one H100, 2,431 pictures)",
    ),
}
PARTS = ("tests", "figures", *TRIALS)


def main() -> int:
    """Run the parts; return 1 if there is no GPU or a test has failed."""
    arguments = _arguments()
    if not torch.cuda.is_available():
        print("No CUDA device is here, so nothing was checked.", file=sys.stderr)
        return 1
    device = torch.device("cuda")
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}", flush=True)
    parts = arguments.parts or PARTS
    failed = _run_tests() if "tests" in parts else 0
    if "figures" in parts:
        for figure in FIGURES:
            _print_speed(figure, device)
    trials = [trial for name, trial in TRIALS.items() if name in parts]
    if trials:
        _try(trials, arguments, device)
    return min(failed, 1)


def _arguments() -> argparse.Namespace:
    data = os.environ.get("CATTERY_DATA") or None  # noqa: TID251 - the one setting, read once
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help="default: all four")
    parser.add_argument("--dataset", help="a dataset of the store, or the name of a new one")
    parser.add_argument("--pictures", type=Path, help="a folder to import, if it is a new one")
    parser.add_argument("--data", default=data, help="data folder; CATTERY_DATA's value if unset")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return name


def _run_tests() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/gpu"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _print_speed(figure: Figure, device: torch.device) -> None:
    row = recipe(figure.recipe)
    settings = row.with_overrides(figure.numbers)
    case = training.Case(row, figure.size_px, settings, device)
    print(case, flush=True)
    rates = training.measure(case, (fastest_precision(device),), figure.steps, turns=5)
    training.print_rates(case, rates)


# --- quality


def _try(trials: list[Trial], arguments: argparse.Namespace, device: torch.device) -> None:
    with _context(arguments) as context:
        name = _dataset(context, arguments)
        if name is None:
            print("No dataset was named (DATASET=, PICTURES=): quality was not tried.")
            return
        for trial in trials:
            _print_quality(trial, context, name, device)


@contextmanager
def _context(arguments: argparse.Namespace) -> Iterator[JobContext]:
    with tempfile.TemporaryDirectory(prefix="cattery-gpu-check-") as folder:
        data = Path(arguments.data or folder)
        store = Store.open(str(data.resolve() / "store"))
        yield JobContext(store=store, cache=data / "cache", device="cuda", checkpoint_s=30.0)


def _dataset(context: JobContext, arguments: argparse.Namespace) -> str | None:
    """Return the name of the dataset to train on, imported if need be; None if there is none."""
    if arguments.dataset is None and arguments.pictures is None:
        return None
    name = str(arguments.dataset or DATASET)
    if arguments.pictures is not None and not context.store.datasets.exists(name):
        source = arguments.pictures
        import_dataset(context.store, name, source, cache=context.cache, statistics=False)
    return context.store.datasets.get(name).name


def _print_quality(trial: Trial, context: JobContext, dataset: str, device: torch.device) -> None:
    order = TrainingOrder(
        recipe=trial.recipe,
        dataset=dataset,
        model=f"gpu-check-{trial.recipe}",
        size_px=trial.size_px,
        budget=Budget(minutes=trial.seconds / 60),
        promote=Promote.NEVER,
    )
    with overhead.timing() as clock:
        record = carry_out(context, order)
    overhead.print_shares(order, record, clock)
    found = _measured(order, record, context, device)
    pictures = context.store.datasets.get(dataset).counts[str(trial.size_px)]
    print(f"ours       {found} after {trial.seconds:g} s ({pictures:,} pictures of {dataset})")
    print(f"the lab's  {trial.lab}", flush=True)


def _measured(
    order: TrainingOrder, record: JobRecord, context: JobContext, device: torch.device
) -> str:
    """Return the figures of the job's version by the protocol `lab`, in words."""
    protocol = PROTOCOLS["lab"]
    features = Features(device, protocol.features)
    reference = reference_statistics(
        context.store,
        context.store.datasets.get(order.dataset),
        order.size_px,
        cache=context.cache,
        features=features,
        reals_at_most=protocol.reals_at_most,
        device=device,
    )
    weights = context.store.versions.weights(order.model, str(record.version))
    found = measure(load_generator(weights), reference, features, device, protocol)
    return ", ".join(f"{row['name']} {row['value']:.4g}" for row in found.rows)


if __name__ == "__main__":
    sys.exit(main())
