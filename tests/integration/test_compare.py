"""Every recipe, really trained side by side on the small pictures, for moments each."""

import shutil
from collections.abc import Callable
from itertools import cycle
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
import torch

from models.comparison.comparison import Comparer, chosen
from models.comparison.costs import Meter
from models.comparison.records import Asked, Comparison
from models.comparison.table import metric
from models.gan.recipes import RECIPES
from models.inference.checkpoints import load_generator
from models.inference.engine import Engine
from models.jobs.context import JobContext
from models.jobs.dataset_import import import_dataset
from models.jobs.training_job import run_training
from models.store import Store
from models.store.journal import StopReason
from models.store.records import JobStatus

FAKES = 8
# Forty pictures are two generator steps where the critic takes five of four pictures for each,
# and ten elsewhere: one step before an interruption leaves something to go on with everywhere.
KIMG = 0.04
OVERRIDES = {"width": 8, "batch": 4}
LOOKS_BEFORE_A_STEP = 2
SEEDS = 8

Looks = Callable[[], StopReason | None]


class Bench:
    """Compares every recipe on one dataset, each time in a folder of its own."""

    def __init__(self, folder: Path, pictures: Path):
        self.folder = folder
        self.store = Store.open(str(folder / "store"))
        few = folder / "few"  # each is one more forward pass of a large network
        few.mkdir()
        for picture in sorted((pictures / "cats").glob("*.jpg"))[:32]:
            shutil.copy(picture, few)
        cache = folder / "cache"
        import_dataset(self.store, "few", few, cache=cache, statistics=False)
        self.place = JobContext(
            store=self.store, cache=cache, device="cpu", threads=1, checkpoint_s=3600, fakes=FAKES
        )

    def compare(self, name: str, looks: Callable[[], Looks]) -> Comparison:
        """Compare all recipes in a folder; every run is stopped as its own looks say."""
        dataset = self.store.datasets.get("few")

        def run(record):
            quiet: dict = {"lease": lambda: True, "announce": lambda _: None}
            return run_training(record, self.place, should_stop=looks(), **quiet)

        ways: dict = {"run": run, "meter": Meter(torch.device("cpu")), "tell": lambda _: None}
        small: dict = {"kimg": KIMG, "size_px": 32, "overrides": OVERRIDES, "fakes": FAKES}
        data: dict = {"dataset": "few", "fingerprint": dataset.fingerprint}
        asked = Asked(recipes=chosen(["all"]), seed=1, **data, **small)
        comparer = Comparer(store=self.store, folder=self.folder / name, **ways)
        return comparer.compare(asked, dataset)


@pytest.fixture(scope="module")
def bench(tmp_path_factory, pictures):
    """Return a bench whose runs ask after every step whether they should stop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.training.schedule.STOP_CHECK_S", 0.0)
        yield Bench(tmp_path_factory.mktemp("compare"), pictures)


@pytest.fixture(scope="module")
def whole(bench) -> Comparison:
    """Return an uninterrupted comparison of all recipes."""
    return bench.compare("whole", lambda: lambda: None)


@pytest.mark.slow
def test_every_recipe_trains_is_measured_and_makes_its_own_cats(bench, whole):
    """A finished row with finite figures a recipe; other seeds are other pictures."""
    assert [row.recipe for row in whole.rows] == list(RECIPES)
    assert {row.recipe: row.reason for row in whole.rows if row.status != "finished"} == {}
    for row in whole.rows:
        kid = metric(row, "kid")
        values = [metric(row, name) for name in ("frechet_distance", "precision", "recall")]
        assert kid is not None, row.recipe
        assert None not in values, row.recipe
        distance, precision, recall = (found["value"] for found in values if found)
        assert 0 < distance < 1e5, row.recipe
        assert 0 <= precision <= 1, row.recipe
        assert 0 <= recall <= 1, row.recipe
        low, high = kid["interval"]
        assert isfinite(low), row.recipe
        assert low < kid["value"] < high < float("inf"), row.recipe
        assert kid["protocol"]["fakes"] == FAKES
        assert row.steps >= 2, row.recipe
        assert row.kimg >= KIMG, row.recipe
        assert (row.images_per_s or 0) > 0, row.recipe
        assert 0 < row.training_s < row.wall_s, row.recipe
        assert 100e6 < row.peak_bytes < 20e9, row.recipe
        weights = bench.store.versions.weights(row.model, str(row.version))
        pictures = Engine(load_generator(weights)).render(range(SEEDS))
        assert pictures.shape == (SEEDS, 32, 32, 3)
        assert len(np.unique(pictures.reshape(SEEDS, -1), axis=0)) == SEEDS, row.recipe


@pytest.mark.slow
def test_the_folder_holds_the_table_and_one_page_of_all_sheets(bench, whole):
    folder = bench.folder / "whole"
    table = (folder / "comparison.md").read_text(encoding="utf-8")
    assert table.count("| finished |") == len(whole.rows) == len(RECIPES)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/webp;base64,') == len(RECIPES)
    assert {path.stem for path in (folder / "sheets").iterdir()} == set(RECIPES)


@pytest.mark.slow
def test_a_comparison_interrupted_in_every_recipe_gives_the_same_versions(bench, whole):
    """Bit for bit: a version's id is the sum of its weights file."""
    turns = cycle((True, False))

    def every_other() -> Looks:
        """Stop a recipe's first run after its first step, and let its second one be."""
        stops = [None] * LOOKS_BEFORE_A_STEP + [StopReason.PAUSE] if next(turns) else []
        left = iter(stops)
        return lambda: next(left, None)

    comparison, calls = bench.compare("interrupted", every_other), 1
    assert comparison.rows[0].status is JobStatus.QUEUED
    while not comparison.is_complete:
        assert calls <= 2 * len(RECIPES)
        comparison, calls = bench.compare("interrupted", every_other), calls + 1
    assert calls == len(RECIPES) + 1
    for row, uninterrupted in zip(comparison.rows, whole.rows, strict=True):
        events = [event.type for event in bench.store.jobs.events(str(row.job))]
        assert events.count("resumed") == 1, row.recipe
        assert row.job != uninterrupted.job
        assert row.version == uninterrupted.version, row.recipe
        assert (row.kimg, row.steps) == (uninterrupted.kimg, uninterrupted.steps)
