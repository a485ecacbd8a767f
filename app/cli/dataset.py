"""`cattery dataset`: import, list, show and delete datasets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import counting_bar, interruptible, say, show_record, show_table
from app.cli.store import open_store, shared_settings

if TYPE_CHECKING:
    from models.store.records import DatasetRecord

dataset_commands = typer.Typer(help="Import pictures to train on, and look at them.")

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


@dataset_commands.command("import")
def import_(
    name: Name,
    path: Annotated[
        Path, typer.Argument(exists=True, help="A folder or a zip; .cat files are used.")
    ],
    license: Annotated[str, typer.Option(help="What is known of the pictures' license.")] = "",
) -> None:
    """Import pictures: aligned, without duplicates, packed once at every size they reach."""
    from models.jobs.dataset_import import import_dataset, measure_reference

    cache, store = shared_settings().data / "cache", open_store()
    with interruptible() as stopped, _counted("pictures") as tell:
        record = import_dataset(
            store,
            name,
            path,
            cache=cache,
            license=license,
            on_progress=tell,
            should_stop=stopped,
            statistics=False,
        )
    show_record(record)
    say(f"The dataset {name} is ready. What follows may be ended: training would do it then.")
    with _counted("statistics") as tell:
        measure_reference(store, record, cache, on_progress=tell)
    say(f"Train on it:  cattery train dcgan --dataset {name} --minutes 30")


@contextmanager
def _counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; yield what moves it to so many done of so many."""
    with counting_bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@dataset_commands.command("list")
def list_() -> None:
    """List the datasets."""
    records = open_store().datasets.list()
    show_table(
        ("name", "pictures", "held out", "sizes", "license"),
        [(r.name, r.kept, r.heldout, _sizes(r), r.license) for r in records],
    )


@dataset_commands.command()
def show(name: Name) -> None:
    """Show one dataset as JSON: counts, refusals, license."""
    show_record(open_store().datasets.get(name))


@dataset_commands.command()
def delete(name: Name) -> None:
    """Delete a dataset; one that a waiting or running job uses is kept."""
    open_store().datasets.delete(name)
    say(f"The dataset {name} was deleted.")


def _sizes(record: "DatasetRecord") -> str:
    """Return the sides that it can be trained at, e.g. "32 64 128"."""
    return " ".join(sorted(record.counts, key=int))
