"""`cattery compare`: recipes trained with the same budget, in one table and one web page."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import interruptible, say, show_table
from app.cli.store import open_store
from app.cli.train import Overrides, local_context, parse_overrides, run_with_bar
from models.errors import CatteryError

if TYPE_CHECKING:
    from models.comparison.records import Asked, Comparison
    from models.jobs.context import JobContext
    from models.store.records import DatasetRecord


class ComparisonFailed(CatteryError):
    """No recipe produced a version."""


def compare(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE]...", help="Names of recipes; default: all."),
    ] = None,
    *,
    data: Annotated[str, typer.Option("--data", "--dataset", help="Name of an imported dataset.")],
    kimg: Annotated[
        float, typer.Option(help="Training budget of each recipe, thousands of images.")
    ],
    size_px: Annotated[int, typer.Option("--size", help="Image width and height, pixels.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of every recipe.")] = 0,
    overrides: Overrides = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the table and the web page.")
    ] = Path("comparison"),
    fakes: Annotated[
        int | None,
        typer.Option(min=16, help="Generated images per evaluation; default: the protocol's."),
    ] = None,
) -> None:
    """Train recipes with the same data, seed and budget, and compare them in a table and a page.

    --set applies to the recipes that have the hyperparameter.

    Ctrl-C saves a checkpoint; run the same command to resume.
    """
    from models.comparison.comparison import chosen
    from models.comparison.records import Asked

    context = local_context(open_store())
    if fakes is not None:
        context = replace(context, fakes=fakes)
    dataset = context.store.datasets.get(data)
    asked = Asked(
        recipes=chosen(recipes or []),
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        kimg=kimg,
        size_px=size_px,
        seed=seed,
        overrides=parse_overrides(overrides),
        fakes=context.fakes,
    )
    _report(_compare(asked, dataset, context, output), output)


def _compare(
    asked: "Asked", dataset: "DatasetRecord", context: "JobContext", output: Path
) -> "Comparison":
    from models.comparison.comparison import Comparer
    from models.comparison.costs import Meter
    from models.devices import pick_device

    with interruptible() as stopped:
        comparer = Comparer(
            store=context.store,
            folder=output,
            run=lambda record: run_with_bar(record, context, stopped),
            meter=Meter(pick_device(context.device)),
            tell=say,
        )
        return comparer.compare(asked, dataset)


def _report(comparison: "Comparison", output: Path) -> None:
    """Print the table, the location of the page and what to do next.

    Raises:
        ComparisonFailed: No recipe produced a version.
    """
    from models.comparison.table import COLUMNS, caveats, cells

    show_table(tuple(COLUMNS), (tuple(texts.values()) for texts in cells(comparison)))
    for caveat in caveats(comparison):
        say(caveat)
    if not comparison.is_complete:
        say("Saved. Run the same command to resume.")
        return
    if not any(row.version for row in comparison.rows):
        raise ComparisonFailed(f"No recipe produced a version; {output}/comparison.md says why.")
    say(f"Samples side by side:  {output}/index.html")
