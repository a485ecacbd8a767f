"""`cattery models directions`: fit and show the named directions of a version."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say, show_table
from app.cli.generate import Device
from app.cli.store import open_store_with_zoo

if TYPE_CHECKING:
    from models.directions.fitted import Direction


def directions(
    ref: Annotated[str, typer.Argument(help="Name: model, model@version or model@previous.")],
    device: Device = "auto",
) -> None:
    """Show the named directions of a version, after fitting them if it has none."""
    from models.devices import pick_device
    from models.directions.keeping import kept_or_fitted

    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    fitted = kept_or_fitted(store, model, version, pick_device(device))
    columns = ("direction", "R2", "effect of -3 to +3", "offered", "more of it")
    show_table(columns, map(_cells, fitted.directions))
    say(f"{len(fitted.offered)} directions of {model}@{version}, fitted in {fitted.fit_s:.1f} s.")


def _cells(row: "Direction") -> tuple[object, ...]:
    unit = "sd" if row.kind == "attribute" else "of the range"
    effect = f"{row.effect:.2f} {unit}"
    return row.name, row.r2, effect, "yes" if row.is_offered else "no", row.more
