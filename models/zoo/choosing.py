"""Which of an edition's versions are shipped: those that the table says, and one rival.

Which rival, somebody says who has looked at their cats. Figures do not choose: monsters of
`projected` had a better KID than cats of `dcgan`, in the eyes of the network that their
discriminator looks through and of one that it does not (docs/zoo-log.md).
"""

from collections.abc import Sequence

from models.errors import CatteryError, InvalidValue
from models.store import Store
from models.store.records import Card
from models.zoo.planning import Standing, outlook
from models.zoo.table import Entry, Part


def shipped_and_shown(
    entries: Sequence[Entry], store: Store, rival: str | None
) -> tuple[list[str], list[str]]:
    """Return the trained versions of entries that are shipped, and those that are not.

    Args:
        entries: An edition's.
        store: Where they were trained.
        rival: Model of the rival that is shipped; None if there is only one, or none.

    Returns:
        Two lists of "model@version", in the table's order.

    Raises:
        InvalidValue: No trained rival is named so, or several were trained and none is named.
    """
    trained = [(entry, card) for entry in entries if (card := _card(entry, store))]
    rivals = [card.model for entry, card in trained if entry.part is Part.RIVAL]
    if (rival is None and len(rivals) > 1) or (rival is not None and rival not in rivals):
        allowed = f"one of {', '.join(rivals) or 'those that were trained'}: look at their cats"
        raise InvalidValue("rival", rival, allowed)
    best = rival or next(iter(rivals), None)
    shipped: list[str] = []
    shown: list[str] = []
    for entry, card in trained:
        is_shipped = entry.part is Part.SHIPPED or card.model == best
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
