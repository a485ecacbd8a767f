"""Which of an edition's versions are shipped: those that the table says, and one rival.

Which rival, somebody says who has looked at their cats. Figures do not choose: monsters of
`projected` had a better KID than cats of `dcgan`, in the eyes of the network that their
discriminator looks through and of one that it does not (docs/zoo-log.md).
"""

from collections.abc import Sequence

from models.errors import InvalidValue
from models.store import Store
from tools.zoo.planning import Standing, survey
from tools.zoo.table import Entry, Part


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
    trained = [
        (each.entry, each.job.version)
        for each in survey(entries, store)
        if each.standing is Standing.DONE and each.job
    ]
    rivals = [entry.model for entry, _ in trained if entry.part is Part.RIVAL]
    if (rival is None and len(rivals) > 1) or (rival is not None and rival not in rivals):
        allowed = f"one of {', '.join(rivals) or 'those that were trained'}: look at their cats"
        raise InvalidValue("rival", rival, allowed)
    best = rival or next(iter(rivals), None)
    shipped: list[str] = []
    shown: list[str] = []
    for entry, version in trained:
        is_shipped = entry.part is Part.SHIPPED or entry.model == best
        (shipped if is_shipped else shown).append(f"{entry.model}@{version}")
    return shipped, shown
