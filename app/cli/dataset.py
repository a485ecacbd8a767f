"""`cattery dataset`: import, list, show and delete datasets."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import counted, interruptible, say, show_record, show_table
from app.cli.store import open_store, shared_settings
from models.store.records import Crop, DatasetRecord

dataset_commands = typer.Typer(help="Import, list, show and delete datasets.")

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


@dataset_commands.command("import")
def import_(
    name: Name,
    path: Annotated[
        Path,
        typer.Argument(exists=True, help="Folder or zip of pictures, aligned by .cat files."),
    ],
    license: Annotated[str, typer.Option(help="License of the pictures.")] = "",
    crop: Annotated[
        Crop,
        typer.Option(
            help="What to cut out of pictures without landmarks: the center square, "
            "or every cat's face (extra faces)."
        ),
    ] = Crop.CENTER,
    deduplicate: Annotated[
        bool,
        typer.Option(
            "--deduplicate/--no-deduplicate",
            help="Whether to keep only the largest of pictures that look alike.",
        ),
    ] = True,
    source: Annotated[str, typer.Option(help="Where the pictures come from.")] = "",
) -> None:
    """Import pictures: align them, drop duplicates, and pack them at each size."""
    from models.jobs.dataset_import import import_dataset, measure_reference

    cache, store = shared_settings().data / "cache", open_store()
    with interruptible() as stopped, counted("pictures") as tell:
        record = import_dataset(
            store,
            name,
            path,
            cache=cache,
            license=license,
            crop=crop,
            deduplicate=deduplicate,
            origin=source,
            on_progress=tell,
            should_stop=stopped,
            statistics=False,
        )
    show_record(record)
    say(f"Imported {name}. The statistics may be interrupted: training computes missing ones.")
    with counted("statistics") as tell:
        measure_reference(store, record, cache, on_progress=tell)
    say(f"Train on it:  cattery train dcgan --dataset {name} --minutes 30")


@dataset_commands.command("list")
def list_() -> None:
    """List all datasets."""
    records = open_store().datasets.list()
    show_table(
        ("name", "pictures", "held out", "sizes", "license"),
        [(r.name, r.kept, r.heldout, _sizes(r), r.license) for r in records],
    )


@dataset_commands.command()
def show(name: Name) -> None:
    """Show a dataset as JSON: counts, rejected pictures, license."""
    show_record(open_store().datasets.get(name))


@dataset_commands.command()
def delete(name: Name) -> None:
    """Delete a dataset, unless a queued or running job uses it."""
    open_store().datasets.delete(name)
    say(f"Deleted the dataset {name}.")


def _sizes(record: DatasetRecord) -> str:
    """Return the sizes that a model can be trained at, such as "32 64 128"."""
    return " ".join(sorted(record.counts, key=int))
