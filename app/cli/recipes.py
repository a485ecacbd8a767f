"""`cattery recipes`: how to train."""

from typing import Annotated

import typer

from app.cli.console import show_json, show_table


def recipes(
    name: Annotated[str | None, typer.Argument(help="Name of a recipe; omit to list all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the recipes, or the hyperparameters of one with their ranges."""
    from models.gan.recipes import RECIPES, recipe

    if name is not None:
        row = recipe(name).describe()
        if json:
            show_json(row)
            return
        limits = row["limits"].items()
        show_table(
            ("hyperparameter", "default", "minimum", "maximum", "description"),
            [
                (key, of["default"], of["minimum"], of["maximum"], of["description"])
                for key, of in limits
            ],
        )
        return
    rows = [row.describe() for row in RECIPES.values()]
    if json:
        show_json(rows)
        return
    show_table(
        ("recipe", "px", "description"),
        [(r["name"], " ".join(map(str, r["sizes_px"])), r["title"]) for r in rows],
    )
