"""`cattery zoo`: the generators that come with a release, trained by one command."""

import time
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import counting_bar, interruptible, say
from app.cli.store import open_store, shared_settings

zoo_commands = typer.Typer(help="Make the generators that come with Cattery.")

MB = 10**6


@zoo_commands.command()
def train(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Models of the edition; none: all of them."),
    ] = None,
    edition: Annotated[
        str | None, typer.Option(help="gpu, cpu or toy; none: gpu where there is one, else cpu.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder with cat/ and afhq/, or its parcels: datasets that are missing are made "
            "of it."
        ),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="How many train side by side; none: as many as there is room."),
    ] = None,
    stop_after: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", min=0, help="Save and end then; the same command goes on."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also train what has failed or collapsed before.")
    ] = False,
) -> None:
    """Train every generator of the zoo that has no version yet; Ctrl-C saves where it is.

    Each is an ordinary training job in a process of its own; none is promoted.
    """
    from tools.zoo.planning import chosen
    from tools.zoo.table import edition as entries_of
    from tools.zoo.train import train_zoo

    began = time.monotonic()
    entries = chosen(entries_of(edition or edition_here()), names or [])
    with interruptible() as stopped:

        def should_stop() -> bool:
            is_late = stop_after is not None and time.monotonic() - began >= 60 * stop_after
            return is_late or stopped()

        train_zoo(
            entries,
            open_store(),
            data=shared_settings().data,
            pictures=pictures,
            at_once=at_once,
            again=again,
            should_stop=should_stop,
        )


@zoo_commands.command()
def parcel(
    pictures: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder.")],
    output: Annotated[Path, typer.Argument(help="Folder to make: part-01.zip, part-02.zip, ...")],
    limit_mb: Annotated[
        float, typer.Option(help="Million bytes that no zip exceeds.", min=0.001)
    ] = 56,
    quality: Annotated[
        int | None,
        typer.Option(help="Pictures become WebP of this quality, 1 to 100; none: they stay."),
    ] = None,
) -> None:
    """Put pictures into zips of a limited size, for machines that take only so much a call.

    `cattery zoo train --pictures` takes the folder of all zips for the pictures themselves.
    """
    from tools.zoo.parcels import write_parcels

    with interruptible() as stopped, counting_bar() as bar:
        task = bar.add_task("pictures", total=None)
        parcels = write_parcels(
            pictures,
            output,
            limit_bytes=int(limit_mb * MB),
            quality=quality,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            should_stop=stopped,
        )
    for path in parcels:
        say(f"{path}: {path.stat().st_size / MB:.1f} MB")
    say(f"Train from all of them:  cattery zoo train --pictures {output}")


def edition_here() -> str:
    """Return the edition for the device that the settings name."""
    from models.devices import pick_device
    from worker.settings import WorkerSettings

    return "gpu" if pick_device(WorkerSettings().device).type == "cuda" else "cpu"
