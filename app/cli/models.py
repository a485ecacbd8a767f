"""`cattery models`: versions, their cards and the aliases that say which one serves."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say, show_record, show_table
from app.cli.store import open_store, open_store_with_zoo

if TYPE_CHECKING:
    from models.store import Store
    from models.store.records import Card

model_commands = typer.Typer(help="Look at trained versions, and choose which one serves.")

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Ref = Annotated[str, typer.Argument(help="model, model@version or model@previous.")]


@model_commands.command("list")
def list_() -> None:
    """List all versions of all models, newest first."""
    store = open_store_with_zoo()
    show_table(
        ("version", "serves", "px", "recipe", "kimg", "KID", "created"),
        [row for model in store.versions.models() for row in _rows(store, model)],
    )


def _rows(store: "Store", model: str) -> Iterator[tuple[object, ...]]:
    aliases = store.aliases.get(model)
    roles = {aliases.previous: "previous", aliases.serving: "serving"}
    for card in store.versions.list(model):
        role = roles.get(card.version)
        name = f"{model}@{card.version}"
        yield name, role, card.size_px, card.recipe, card.kimg, _kid(card), card.created_at


def _kid(card: "Card") -> str | None:
    """Return a version's kernel distance with half of its interval, if it was measured."""
    from models.metrics.protocols import headline

    found = headline(card.metrics)
    if found is None:
        return None
    low, high = found["interval"]
    return f"{found['value']:.4f} ± {(high - low) / 2:.4f}"


@model_commands.command()
def show(ref: Ref) -> None:
    """Show a version's card as JSON."""
    store = open_store_with_zoo()
    show_record(store.versions.card(*store.versions.resolve(ref)))


@model_commands.command()
def promote(
    ref: Annotated[str, typer.Argument(help="model@version.")],
    reason: Annotated[str, typer.Option(help="Kept in the model's history.")] = "",
) -> None:
    """Put a version into service; a running service takes it over within seconds."""
    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    store.aliases.promote(model, version, reason=reason)
    say(f"{model}@{version} serves now.")


@model_commands.command()
def rollback(model: Model) -> None:
    """Put the previous version back into service."""
    aliases = open_store().aliases.rollback(model)
    say(f"{model}@{aliases.serving} serves again.")


@model_commands.command()
def delete(ref: Annotated[str, typer.Argument(help="model@version.")]) -> None:
    """Delete a version; the serving and the previous one are kept."""
    store = open_store()
    model, version = store.versions.resolve(ref)
    store.versions.delete(model, version)
    say(f"{model}@{version} was deleted.")


@model_commands.command()
def export(
    ref: Ref,
    target: Annotated[
        Path, typer.Option("--output", "-o", help="A zip to write, or a folder to make.")
    ],
) -> None:
    """Write a version's weights and card, to import them elsewhere."""
    from app.cli.archives import write_parcel

    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    card = store.versions.card(model, version)
    write_parcel(target, store.versions.weights(model, version), card)
    say(f"{model}@{version} is in {target}.")


@model_commands.command("import")
def import_(
    model: Model,
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="What export wrote, or a generator.safetensors alone."),
    ],
) -> None:
    """Check a version from elsewhere as any other, and add it; it does not serve yet."""
    from app.cli.archives import read_parcel
    from models.publishing.transfer import import_version

    weights, card = read_parcel(source)
    card = import_version(open_store(), model, weights, card)
    say(f"{model}@{card.version} was imported; put it into service with:")
    say(f"  cattery models promote {model}@{card.version}")
