"""`cattery zoo pack`: from trained versions to the generators that a release ships."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say
from app.cli.store import open_store
from app.cli.train import local_context
from models.errors import InvalidValue
from models.metrics.protocols import HELD_OUT, headline

if TYPE_CHECKING:
    from models.store import Store
    from models.store.records import Card, Json
    from tools.zoo.pack import Appraise, Packed

ZOO = Path(__file__).parents[2] / "models" / "zoo"


def pack(
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...",
            help="Versions to pack, model@version; none: those of the edition that are shipped.",
        ),
    ] = None,
    edition: Annotated[
        str | None, typer.Option(help="gpu, cpu or toy; none: the one for this machine.")
    ] = None,
    rival: Annotated[
        str | None,
        typer.Option(help="Of the edition's rivals the one that is shipped: look at their cats."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the zoo; none: that of this package.")
    ] = None,
    cards: Annotated[
        Path | None,
        typer.Option(help="Folder for cards and sheets of what is trained and not shipped."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--as", help="Model that it joins, of one version.")
    ] = None,
    picks: Annotated[
        str, typer.Option(help="Seeds of its cats worth showing, of one version: 3,17,42.")
    ] = "",
) -> None:
    """Halve generators' files, measure them again and write them into the zoo.

    No file may have more than 30 MB, all together no more than 100 MB.
    """
    from tools.zoo.pack import pack as packed_of
    from tools.zoo.pack import write_cards, write_zoo

    store = open_store()
    chosen, others = (list(refs), []) if refs else _of_edition(store, edition, rival)
    gone = [ref.partition("@")[0] for ref in others]
    if len(chosen) != 1 and (model or picks):
        raise InvalidValue("as" if model else "picks", model or picks, "one version to pack")
    seeds, appraise = _seeds(picks), _appraiser(store)
    made = [packed_of(store, ref, appraise, model=model or "", picks=seeds) for ref in chosen]
    write_zoo(to or ZOO, made, without=gone)
    for each in made:
        say(_told(each))
    if cards is not None:
        write_cards(cards, store, others)


def _of_edition(
    store: "Store", edition: str | None, rival: str | None
) -> tuple[list[str], list[str]]:
    """Return the versions of an edition that are shipped, and those that are not.

    Raises:
        InvalidValue: None that is shipped has been trained yet, or it is not said which
            of several rivals is shipped.
    """
    from tools.zoo.choosing import shipped_and_shown
    from tools.zoo.cli import edition_here
    from tools.zoo.table import edition as entries_of

    name = edition or edition_here()
    shipped, shown = shipped_and_shown(entries_of(name), store, rival)
    if not shipped:
        allowed = "an edition of which something was trained (cattery zoo train)"
        raise InvalidValue("edition", name, allowed)
    return shipped, shown


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InvalidValue("picks", text, "seeds with commas between, such as 3,17,42") from None


def _appraiser(store: "Store") -> "Appraise":
    """Return what measures weights by both judges on the data that a card names.

    The one that no recipe looks through is left out where its package is not installed.
    """
    from models.devices import pick_device
    from models.networks.efficientnet import has_lite2
    from models.publishing.evaluation import Evaluator

    context = local_context(store)
    protocols = ("cattery", HELD_OUT) if has_lite2() else ("cattery",)

    def measured(card: "Card", weights: bytes, protocol: str) -> "tuple[Json, ...]":
        dataset = store.datasets.get(str(card.dataset.get("name")))
        device = pick_device(context.device)
        found = Evaluator(
            store, dataset, card.size_px, context.cache, device, context.fakes, protocol=protocol
        ).version(weights)
        return found.rows if found else ()

    def appraise(card: "Card", weights: bytes) -> "tuple[Json, ...]":
        each = [measured(card, weights, protocol) for protocol in protocols]
        return tuple(row for rows in each for row in rows) if all(each) else ()

    return appraise


def _told(packed: "Packed") -> str:
    card, size = packed.card, len(packed.weights) / 1e6
    kid = headline(card.metrics)
    measured = f"KID {kid['value']:.4f}" if kid else "not measured"
    return f"{card.model}@{card.version}, packed from {card.parent}: {size:.1f} MB, {measured}"
