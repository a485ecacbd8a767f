"""Which of an edition's versions are shipped: those that the table says, and the best rival.

The best in the eyes of a network that no recipe looks through: one that does would choose
the recipe that learned to please it, monsters included (docs/zoo-log.md).
"""

from collections.abc import Callable, Sequence

from models.errors import CatteryError
from models.store import Store
from models.store.records import Card
from models.zoo.planning import Standing, outlook
from models.zoo.table import Entry, Part

Judge = Callable[[Card], float]
"""How bad a version is; of rivals, which have one size and one data set."""


def shipped_and_shown(
    entries: Sequence[Entry], store: Store, judge: Judge
) -> tuple[list[str], list[str]]:
    """Return the trained versions of entries that are shipped, and those that are not.

    Of the rivals the least bad one is shipped.

    Args:
        entries: An edition's.
        store: Where they were trained.
        judge: Asked of rivals only, and only if there are several.

    Returns:
        Two lists of "model@version", in the table's order.
    """
    trained = [(entry, card) for entry in entries if (card := _card(entry, store))]
    rivals = [card for entry, card in trained if entry.part is Part.RIVAL]
    best = min(rivals, key=judge) if len(rivals) > 1 else next(iter(rivals), None)
    shipped: list[str] = []
    shown: list[str] = []
    for entry, card in trained:
        is_shipped = entry.part is Part.SHIPPED or card is best
        (shipped if is_shipped else shown).append(f"{card.model}@{card.version}")
    return shipped, shown


def _card(entry: Entry, store: Store) -> Card | None:
    """Return the card of an entry's version, or None if it has none."""

    def is_published(model: str, version: str) -> bool:
        try:
            store.versions.card(model, version)
        except CatteryError:
            return False
        return True

    found = outlook(
        entry, store.jobs.list(), is_published=is_published, is_running=lambda _job: False
    )
    if found.standing is not Standing.DONE or found.job is None:
        return None
    return store.versions.card(entry.model, str(found.job.version))
