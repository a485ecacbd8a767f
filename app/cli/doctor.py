"""`cattery doctor`: check what Cattery needs and what it stores, and repair the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import show_table
from app.cli.settings import read_settings
from models.errors import CatteryError

if TYPE_CHECKING:
    from app.settings import AppSettings
    from models.inspection.findings import Finding


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: "ok", "BAD" or "repaired"."""

    verdict: str
    what: str
    found: str


def doctor(
    device: Annotated[
        str | None, typer.Option(help="Device to check; default: CATTERY_DEVICE.")
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair the store: mend what can be mended, and move the rest into its folder "
            "`damaged`.",
        ),
    ] = False,
) -> None:
    """Check everything that Cattery needs and stores; exit with status 1 if a check fails."""
    from app.settings import AppSettings

    settings = read_settings(AppSettings)
    if device:
        settings = settings.model_copy(update={"device": device})
    # What is stored first: a repair may be what the rest needs.
    stored, rows = list(_stored(settings, repair=repair)), list(_needs(settings))
    if ("BAD", "store") not in {(row.verdict, row.what) for row in rows}:
        rows += stored
    show_table(("", "what", "found"), [(row.verdict, row.what, row.found) for row in rows])
    if any(row.verdict == "BAD" for row in rows):
        raise typer.Exit(1)


def _needs(settings: "AppSettings") -> Iterator[Row]:
    """Check what Cattery needs."""
    from app.cli.checks import CHECKS

    for what, check in CHECKS.items():
        try:
            yield Row("ok", what, check(settings))
        except Exception as err:  # noqa: BLE001 - reported; the other checks go on
            yield Row("BAD", what, _said(err))


def _stored(settings: "AppSettings", *, repair: bool) -> Iterator[Row]:
    """Check everything in the store, and repair it if that is wanted."""
    from models.inspection.datasets import inspect_datasets
    from models.inspection.jobs import inspect_jobs
    from models.inspection.versions import inspect_models
    from models.store import Store

    try:
        store = Store(settings.store_url)
    except CatteryError:  # the check of the store says why
        return
    inspections: dict[str, Callable[[], Iterator[Finding]]] = {
        "models": lambda: inspect_models(store),
        "jobs": lambda: inspect_jobs(store),
        "datasets": lambda: inspect_datasets(store, settings.cache),
    }
    for what, inspect in inspections.items():
        try:
            # One by one: what is found next may depend on what was repaired.
            rows = [_treated(what, finding, repair=repair) for finding in inspect()]
        except Exception as err:  # noqa: BLE001 - reported; the other checks go on
            rows = [Row("BAD", what, _said(err))]
        yield from rows or [Row("ok", what, "all files are whole")]


def _treated(what: str, finding: "Finding", *, repair: bool) -> Row:
    if not repair:
        return Row("BAD", what, f"{finding.detail} Repair it with `cattery doctor --repair`.")
    try:
        return Row("repaired", what, f"{finding.detail} {finding.repair()}")
    except CatteryError as err:
        return Row("BAD", what, f"{finding.detail} Could not be repaired: {err}")


def _said(err: Exception) -> str:
    return str(err) if isinstance(err, CatteryError) else f"{type(err).__name__}: {err}"
