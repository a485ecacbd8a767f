"""Writes docs/reference/ from the tables in the code, or with --check compares it with them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from app.cli.root import commands
from app.main import create_app
from app.settings import AppSettings
from models.recipes import RECIPES
from worker.protocol import SharedSettings
from worker.settings import WorkerSettings

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from the code; changes by hand are lost. -->"


def main() -> int:
    """Write the pages, or check them; return the exit status."""
    pages: Mapping[str, Callable[[], Iterator[str]]] = {
        "settings.md": settings_page,
        "recipes.md": recipes_page,
        "api.md": api_page,
        "cli.md": cli_page,
    }
    stale = []
    for name, page in pages.items():
        text = "\n".join([NOTE, "", *page()]) + "\n"
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"docs/reference is stale ({', '.join(stale)}): run `make docs`.\n")
        return 1
    return 0


def settings_page() -> Iterator[str]:
    """Yield the settings of both processes, those they share once."""
    yield "# Settings"
    yield ""
    yield "Every setting is an environment variable."
    seen: set[str] = set()
    for title, cls in (
        ("Both processes", SharedSettings),
        ("Front end", AppSettings),
        ("Worker", WorkerSettings),
    ):
        rows = []
        for name, field in cls.model_fields.items():
            if name not in seen:
                rows.append(
                    (f"`CATTERY_{name.upper()}`", _default(field.default), field.description)
                )
        seen |= set(SharedSettings.model_fields)
        yield from _section(title, _table(("variable", "default", "what it does"), rows))


def recipes_page() -> Iterator[str]:
    """Yield the recipes with their numbers and the range of each."""
    yield "# Recipes"
    for recipe in (row.describe() for row in RECIPES.values()):
        yield from ("", f"## `{recipe['name']}`", "")
        yield f"{recipe['title']} ({recipe['source']}); {recipe['default_size_px']} px by default."
        yield ""
        yield from _table(
            ("number", "default", "least", "most", "what it is"),
            [
                (f"`{name}`", f"`{x['default']}`", x["minimum"], x["maximum"], x["description"])
                for name, x in recipe["limits"].items()
            ],
        )


def api_page() -> Iterator[str]:
    """Yield the routes with their parameters."""
    paths: dict[str, dict[str, Any]] = create_app(AppSettings()).openapi()["paths"]
    yield "# HTTP API"
    yield ""
    yield "A running Cattery shows the same with bodies and examples under `/docs`."
    for path, calls in paths.items():
        for method, call in calls.items():
            yield from ("", f"## `{method.upper()} {path}`", "")
            yield call.get("description") or call.get("summary", "")
            if parameters := call.get("parameters"):
                yield ""
                yield from _table(
                    ("parameter", "in", "what it is"),
                    [(f"`{p['name']}`", p["in"], p.get("description", "")) for p in parameters],
                )


def cli_page() -> Iterator[str]:
    """Yield the commands with their arguments and options."""
    yield "# Command line"
    yield from _commands(typer.main.get_command(commands), "cattery")


def _commands(command: Any, name: str) -> Iterator[str]:
    for child in getattr(command, "commands", {}).values():
        yield from _commands(child, f"{name} {child.name}")
    if hasattr(command, "commands"):
        return
    yield from ("", f"## `{name}`", "", command.help or "")
    rows = [
        (f"`{', '.join(p.opts)}`", _default(p.default), getattr(p, "help", ""))
        for p in command.params
        if not getattr(p, "hidden", False)
    ]
    if rows:
        yield ""
        yield from _table(("option", "default", "what it does"), rows)


def _default(value: object) -> str:
    is_nothing = value is None or value is PydanticUndefined or value == ""
    return "" if is_nothing else f"`{getattr(value, 'value', value)}`"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from lines


def _table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        cells = (" ".join(str(cell).split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
