"""`cattery models`: versions, their cards and the aliases that put one into service."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import check_parent, say, show_record, show_table
from app.cli.directions import directions
from app.cli.store import open_store, open_store_with_zoo
from models.errors import Conflict, InvalidValue

if TYPE_CHECKING:
    from models.store import Store
    from models.store.records import Card

model_commands = typer.Typer(help="List, promote, export and import trained versions.")
model_commands.command()(directions)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Ref = Annotated[str, typer.Argument(help="Name: model, model@version or model@previous.")]
Version = Annotated[str, typer.Argument(help="Name: model@version.")]


@model_commands.command("list")
def list_() -> None:
    """List all versions of all models, newest first."""
    store = open_store_with_zoo()
    show_table(
        ("version", "alias", "px", "recipe", "kimg", "KID", "created"),
        [row for model in store.versions.models() for row in _rows(store, model)],
    )


def _rows(store: "Store", model: str) -> Iterator[tuple[object, ...]]:
    aliases = store.aliases.listed(model)
    roles = {aliases.previous: "previous", aliases.serving: "serving"}
    for card in store.versions.list(model):
        role = roles.get(card.version)
        name = f"{model}@{card.version}"
        yield name, role, card.size_px, card.recipe, card.kimg, _kid(card), card.created_at


def _kid(card: "Card") -> str | None:
    """Return the KID of a version with half of its interval, or None if it was not measured."""
    from models.metrics.protocols import headline

    found = headline(card.metrics)
    if found is None or found["value"] is None:
        return None
    low, high = found.get("interval") or (found["value"], found["value"])
    return f"{found['value']:.4f} ± {(high - low) / 2:.4f}"


@model_commands.command()
def show(ref: Ref) -> None:
    """Show a version's card as JSON."""
    store = open_store_with_zoo()
    show_record(store.versions.card(*store.versions.resolve(ref)))


@model_commands.command()
def promote(
    ref: Version,
    reason: Annotated[str, typer.Option(help="Reason, recorded in the model's history.")] = "",
) -> None:
    """Put a version into service; a running service switches within seconds."""
    check_exact(ref)
    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    if store.aliases.get(model).serving == version:
        say(f"{model}@{version} is already in service.")
        return
    store.aliases.promote(model, version, reason=reason)
    say(f"{model}@{version} is in service.")


@model_commands.command()
def rollback(model: Model) -> None:
    """Put the previous version back into service."""
    aliases = open_store().aliases.rollback(model)
    say(f"{model}@{aliases.serving} is in service again.")


@model_commands.command()
def delete(
    ref: Annotated[str, typer.Argument(help="Name: model@version, or with --all model.")],
    whole: Annotated[
        bool, typer.Option("--all", help="Delete the model with all its versions.")
    ] = False,
) -> None:
    """Delete a version, unless it is serving or previous; or a model with all its versions."""
    store = open_store()
    if whole:
        check_not_default(ref)
        count = len(store.versions.delete_model(ref))
        say(f"Deleted {ref} with {count} {'version' if count == 1 else 'versions'}.")
        return
    check_exact(ref)
    model, version = store.versions.resolve(ref)
    store.versions.delete(model, version)
    say(f"Deleted {model}@{version}.")


@model_commands.command()
def export(
    ref: Ref,
    target: Annotated[Path, typer.Option("--output", "-o", help="Zip file or folder to create.")],
) -> None:
    """Write the weights and card of a version to a file or folder, to import elsewhere."""
    from app.cli.archives import write_export

    check_parent(target)
    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    card = store.versions.card(model, version)
    write_export(target, store.versions.weights(model, version), card)
    say(f"Exported {model}@{version} to {target}.")


@model_commands.command("import")
def import_(
    model: Model,
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="An export, or a generator.safetensors file."),
    ],
) -> None:
    """Check an exported version and add it to a model, without putting it into service."""
    from app.cli.archives import read_export
    from models.publishing.transfer import import_version

    weights, card = read_export(source)
    card = import_version(open_store(), model, weights, card)
    say(f"Imported {model}@{card.version}. Put it into service with:")
    say(f"  cattery models promote {model}@{card.version}")


def check_not_default(model: str) -> None:
    """Refuse to delete the model that answers requests without one.

    Raises:
        Conflict: It is that model.
    """
    from app.cli.settings import read_settings
    from app.settings import AppSettings

    if model == read_settings(AppSettings).default_model.partition("@")[0]:
        raise Conflict(
            f"The model {model!r} answers requests that name none.",
            "Choose another one with CATTERY_DEFAULT_MODEL first.",
        )


def check_exact(ref: str) -> None:
    """Refuse a model's name alone: it means the version in service, which nobody has named.

    Raises:
        InvalidValue: It has no version.
    """
    model, _, version = ref.partition("@")
    if not version:
        name = model or "MODEL"
        allowed = f"{name}@VERSION, as `cattery models list` shows it"
        raise InvalidValue("ref", ref, allowed, f"{ref!r} names no version.")
