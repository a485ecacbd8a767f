"""Compares recipes: each trained with the same data, seed and budget, one after another.

Every recipe is an ordinary training job. The folder's `comparison.json` holds the request and each
recipe's progress, so that the same call resumes where the last one stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.comparison.costs import Meter
from models.comparison.pages import write_pages
from models.comparison.records import Asked, Comparison, Row, begun, new_row, write_record
from models.comparison.table import duration
from models.errors import Gone, InvalidValue, NotFound, RecipeError
from models.gan.recipes import RECIPES, recipe
from models.jobs.order import make_order
from models.publishing.card import hardware, software
from models.store import Store
from models.store.records import Budget, DatasetRecord, JobKind, JobRecord, Promote, TrainingOrder

ALL = "all"
RUNNER = "cli"

# Runs a job, or resumes it; returns its record, ended or waiting again.
Run = Callable[[JobRecord], JobRecord]


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the named recipes, each once; all of them for "all" or no name.

    Raises:
        NotFound: One is unknown.
    """
    if not names or ALL in names:
        return tuple(RECIPES)
    return tuple(dict.fromkeys(recipe(name).name for name in names))


def orders(asked: Asked, dataset: DatasetRecord, store: Store) -> dict[str, TrainingOrder]:
    """Return every recipe's order, so that errors are found before anything trains.

    Raises:
        InvalidValue: An override that no recipe has, or an invalid order, whose recipe is named.
    """
    for name, value in asked.overrides.items():
        if not any(name in recipe(each).settings.given() for each in asked.recipes):
            known = dict.fromkeys(
                n for each in asked.recipes for n in recipe(each).settings.given()
            )
            raise RecipeError(
                f"set {name}", value, f"hyperparameters of these recipes: {', '.join(known)}"
            )
    return {name: _order(asked, name, dataset, store) for name in asked.recipes}


def _order(asked: Asked, name: str, dataset: DatasetRecord, store: Store) -> TrainingOrder:
    row = recipe(name)
    given = row.settings.given()
    try:
        return make_order(
            recipe=name,
            dataset=dataset,
            store=store,
            budget=Budget(kimg=asked.kimg),
            model=f"compare-{row.default_model(asked.size_px)}",
            size_px=asked.size_px,
            seed=asked.seed,
            overrides={key: value for key, value in asked.overrides.items() if key in given},
            promote=Promote.NEVER,
        )
    except InvalidValue as err:
        raise InvalidValue(err.field, err.value, err.allowed, f"{name}: {err.detail}") from err


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparer:
    """Trains the recipes of a comparison and writes its folder.

    Attributes:
        store: Holds the dataset, jobs and versions.
        folder: Where the comparison is written, and resumed from.
        run: Runs one job.
        meter: Measures the costs of each recipe.
        tell: Called with progress messages, in sentences.
    """

    store: Store
    folder: Path
    run: Run
    meter: Meter
    tell: Callable[[str], None]

    def compare(self, asked: Asked, dataset: DatasetRecord) -> Comparison:
        """Train recipes until all have ended or one is interrupted, and return the comparison.

        Raises:
            InvalidValue: The folder holds another comparison or is not writable, or as
                `orders`.
            StoreError: The folder's record is damaged.
        """
        wanted = orders(asked, dataset, self.store)
        comparison = begun(asked, self.folder, wanted)
        write_record(comparison, self.folder)  # fails now rather than after the first recipe
        left = [row for row in comparison.rows if not row.status.has_ended]
        self.tell(_outlook(comparison, left))
        spent_s = 0.0
        for done, waiting in enumerate(left, 1):
            row = self._with_job(waiting, wanted[waiting.recipe])
            # Written before it runs: however this process ends, the job is found again.
            write_record(comparison.with_row(row), self.folder)
            ended = self._run(row)
            comparison = comparison.with_row(ended)
            write_pages(comparison, self.store, self.folder)
            if not ended.status.has_ended:
                return comparison
            spent_s += ended.wall_s - row.wall_s
            self.tell(_summary(ended, spent_s / done, len(left) - done))
        write_pages(comparison, self.store, self.folder)
        return comparison

    def _with_job(self, row: Row, order: TrainingOrder) -> Row:
        """Return a row with a job: a new one if it had none or that was deleted."""
        try:
            if row.job is not None and self.store.jobs.get(row.job):
                return row
        except (NotFound, Gone):
            pass
        record, _ = self.store.jobs.create(JobKind.TRAIN, order, runner=RUNNER)
        return replace(new_row(row.recipe, row.lacks, order), job=record.id)

    def _run(self, row: Row) -> Row:
        """Run a row's job unless it has ended meanwhile; return the updated row."""
        record = self.store.jobs.get(str(row.job))
        if not record.status.has_ended:
            self.tell(f"{row.recipe}, job {row.job}: {recipe(row.recipe).title}.")
            self.meter.start()
            record = self.run(record)
            row = _with_costs(row, self.meter)
        return _with_results(row, record, self.store)


def _outlook(comparison: Comparison, left: Sequence[Row]) -> str:
    """Return how much there is to train, in a sentence."""
    count, kimg = len(comparison.rows), comparison.asked.kimg
    shown = sum(row.kimg for row in left)
    total = f"{count} recipes of {kimg:g} kimg each"
    if not left:
        return f"{total}; all have ended."
    if len(left) == count and not shown:
        return f"{total}: {count * kimg:g} kimg in total."
    return f"{total}; {count - len(left)} have ended, {len(left) * kimg - shown:g} kimg to go."


def _summary(row: Row, each_s: float, left: int) -> str:
    """Return how a recipe ended, and how long the others will take."""
    ended = f"{row.recipe} {row.status}" + (f": {row.reason}" if row.reason else ".")
    if not left:
        return ended
    return f"{ended} {left} more take about {duration(each_s * left)} if each takes as long."


def _with_costs(row: Row, meter: Meter) -> Row:
    """Add the costs of a run to those of the recipe's earlier runs."""
    costs = meter.read()
    return replace(
        row,
        wall_s=round(row.wall_s + costs.wall_s, 1),
        peak_bytes=max(row.peak_bytes, costs.peak_bytes),
        peak_of=costs.peak_of,
        hardware=hardware(meter.device),
        software=software(),
    )


def _with_results(row: Row, record: JobRecord, store: Store) -> Row:
    """Add the results in a job's record, and on the card of its version if there is one."""
    progress = record.progress
    row = replace(
        row,
        status=record.status,
        reason=record.reason,
        version=record.version,
        kimg=progress.kimg,
        steps=progress.step,
        images_per_s=progress.images_per_s,
        training_s=progress.training_s,
    )
    if record.version is None:
        return row
    card = store.versions.card(row.model, record.version)
    return replace(
        row,
        best_kimg=card.kimg,
        metrics=card.metrics,
        note=card.note,
        hardware=card.hardware,
        software=card.software,
    )
