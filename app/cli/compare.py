"""`cattery compare`: recipes side by side, each trained alike, as one table and one page."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import interruptible, say, show_table
from app.cli.store import open_store
from app.cli.train import parse_overrides, place_here, shown
from models.errors import CatteryError

if TYPE_CHECKING:
    from models.comparison.records import Asked, Comparison
    from models.jobs.training_job import Place
    from models.store.records import DatasetRecord, JobRecord


class ComparisonFailed(CatteryError):
    """No recipe made a version."""


def compare(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE]...", help="Names of recipes; none, or all: every one."),
    ] = None,
    *,
    data: Annotated[str, typer.Option("--data", "--dataset", help="Name of an imported dataset.")],
    kimg: Annotated[float, typer.Option(help="Thousand pictures shown, of each recipe.")],
    size_px: Annotated[int, typer.Option("--size", help="Side of the pictures, for all.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seeds every recipe.")] = 0,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A number of each recipe that has it."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the table and the page.")
    ] = Path("comparison"),
    fakes: Annotated[
        int | None,
        typer.Option(min=16, help="Pictures made to measure each; none: as the protocol says."),
    ] = None,
) -> None:
    """Train recipes with the same data, seed and budget, and write one table and one page.

    Ctrl-C saves where it is; the same command goes on.
    """
    from models.comparison.comparison import chosen
    from models.comparison.records import Asked

    place = place_here(open_store())
    if fakes is not None:
        place = replace(place, fakes=fakes)
    dataset = place.store.datasets.get(data)
    asked = Asked(
        recipes=chosen(recipes or []),
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        kimg=kimg,
        size_px=size_px,
        seed=seed,
        overrides=parse_overrides(overrides or []),
        fakes=place.fakes,
    )
    _tell(_compare(asked, dataset, place, output), output)


def _compare(
    asked: "Asked", dataset: "DatasetRecord", place: "Place", output: Path
) -> "Comparison":
    from models.comparison.comparison import Comparer
    from models.comparison.costs import Meter
    from models.devices import pick_device

    with interruptible() as stopped:
        comparer = Comparer(
            store=place.store,
            folder=output,
            run=_runner(place, stopped),
            meter=Meter(pick_device(place.device)),
            tell=say,
        )
        return comparer.compare(asked, dataset)


def _runner(place: "Place", stopped: Callable[[], bool]) -> Callable[["JobRecord"], "JobRecord"]:
    """Return what runs a job in this process, with a bar."""
    from models.jobs.training_job import StopReason, run_training

    def run(record: "JobRecord") -> "JobRecord":
        with shown(lambda: place.store.jobs.get(record.id)):
            return run_training(
                record,
                place,
                lease=lambda: True,
                should_stop=lambda: StopReason.PAUSE if stopped() else None,
                announce=lambda _model: None,
            )

    return run


def _tell(comparison: "Comparison", output: Path) -> None:
    """Print the table, and say where the pages are and what to do next.

    Raises:
        ComparisonFailed: No recipe made a version.
    """
    from models.comparison.table import COLUMNS, caveats, cells

    show_table(tuple(COLUMNS), (tuple(texts.values()) for texts in cells(comparison)))
    for caveat in caveats(comparison):
        say(caveat)
    if not comparison.is_complete:
        say("Saved. Go on with the same command.")
        return
    if not any(row.version for row in comparison.rows):
        raise ComparisonFailed(f"No recipe made a version; {output}/comparison.md says why.")
    say(f"See them side by side:  {output}/index.html")
