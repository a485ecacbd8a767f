"""`python -m tools.zoo`: train the generators that ship with a release, then package them."""

import time
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import interruptible, say
from app.cli.store import open_store, shared_settings
from models.devices import pick_device
from models.errors import InvalidValue
from models.metrics.protocols import headline
from tools.zoo.pack import Packed, evaluator, pack_version
from tools.zoo.planning import select
from tools.zoo.release import select_versions, write_cards, write_zoo
from tools.zoo.table import edition as entries_of
from tools.zoo.train import train_zoo
from worker.nice import run_when_idle
from worker.settings import WorkerSettings

ZOO = Path(__file__).parents[2] / "models" / "zoo"

zoo_commands = typer.Typer(help="Train and package the generators that ship with Cattery.")

Edition = Annotated[
    str | None, typer.Option(help="gpu, cpu or toy; default: gpu if there is one, else cpu.")
]


@zoo_commands.command()
def train(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models to train; default: the whole edition."),
    ] = None,
    edition: Edition = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder with cat/ and afhq/, from which missing datasets are imported."),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Number of concurrent jobs; default: as many as fit."),
    ] = None,
    stop_after: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", min=0, help="Save and exit then; rerun the command to resume."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Retry models whose training failed or collapsed.")
    ] = False,
    idle: Annotated[
        bool,
        typer.Option("--idle", help="Use only CPU time that nothing else on the machine wants."),
    ] = False,
) -> None:
    """Train every generator of the zoo that has no version yet. Ctrl-C saves and exits.

    Each one is an ordinary training job in its own process; none is promoted.
    """
    started = time.monotonic()
    if idle:
        run_when_idle()  # the training processes inherit it
    entries = select(entries_of(edition or default_edition()), names or [])
    with interruptible() as stopped:

        def should_stop() -> bool:
            is_late = stop_after is not None and time.monotonic() - started >= 60 * stop_after
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
def pack(
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...",
            help="Versions, as model@version; default: those of the edition that ship.",
        ),
    ] = None,
    edition: Edition = None,
    rival: Annotated[
        str | None,
        typer.Option(help="Which of the edition's candidates ships; look at their samples first."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Output folder; default: models/zoo of this checkout.")
    ] = None,
    cards: Annotated[
        Path | None,
        typer.Option(help="Folder for cards and sample sheets of versions that do not ship."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--as", help="Publish the single VERSION under this model.")
    ] = None,
    picks: Annotated[
        str, typer.Option(help="Seeds of the best cats of the single VERSION, e.g. 3,17,42.")
    ] = "",
) -> None:
    """Convert generators to float16, evaluate them again and write them to the zoo folder.

    A file may have at most 30 MB, all files together at most 100 MB.
    """
    store = open_store()
    shipped, shown = list(refs or []), list[str]()
    if not shipped:
        name = edition or default_edition()
        shipped, shown = select_versions(entries_of(name), store, rival)
        if not shipped:
            allowed = "an edition with trained versions (python -m tools.zoo train)"
            raise InvalidValue("edition", name, allowed)
    if len(shipped) != 1 and (model or picks):
        raise InvalidValue("as" if model else "picks", model or picks, "one version to pack")
    seeds, evaluate = _seeds(picks), evaluator(store, shared_settings().data / "cache")
    packed = [pack_version(store, ref, evaluate, model=model, picks=seeds) for ref in shipped]
    write_zoo(to or ZOO, packed, without=[ref.partition("@")[0] for ref in shown])
    for each in packed:
        say(_summary(each))
    if cards is not None:
        write_cards(cards, store, shown)


def default_edition() -> str:
    """Return the edition for the device that the settings name."""
    return "gpu" if pick_device(WorkerSettings().device).type == "cuda" else "cpu"


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InvalidValue("picks", text, "seeds separated by commas, e.g. 3,17,42") from None


def _summary(packed: Packed) -> str:
    card, size = packed.card, len(packed.weights) / 1e6
    kid = headline(card.metrics)
    quality = f"KID {kid['value']:.4f}" if kid else "not measured"
    return f"{card.model}@{card.version}, packed from {card.parent}: {size:.1f} MB, {quality}"
