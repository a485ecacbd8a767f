"""What a release ships: which versions of an edition, and the files of `models/zoo`."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.errors import InvalidValue
from models.images.formats import contact_sheet, encode_png
from models.inference.checkpoints import load_generator
from models.inference.engine import Engine
from models.store import Store
from models.store.serialization import dumps
from models.store.versions import SAMPLES, WEIGHTS
from models.zoo.install import MANIFEST
from tools.zoo.pack import Packed, check_file, megabytes, order_of
from tools.zoo.planning import State, survey
from tools.zoo.table import Entry, Role

MOST_ZOO_BYTES = 100_000_000

SHOWN = 16
"""Cats on the sample sheet of a version that does not ship."""

PICKS = "picks.png"
"""Shown in the README; not part of the installed package."""


def select_versions(
    entries: Sequence[Entry], store: Store, rival: str | None
) -> tuple[list[str], list[str]]:
    """Split an edition's trained versions into those that ship and the others.

    One rival ships. A person who has looked at the samples names it: metrics have preferred
    malformed cats before, with either feature network (docs/zoo-log.md).

    Args:
        entries: The edition's.
        store: Where they were trained.
        rival: Model of the rival that ships; may be None while there is at most one.

    Returns:
        Two lists of "model@version", in the table's order.

    Raises:
        InvalidValue: No trained rival has that name, or there are several and none is named.
    """
    trained = [
        (each.entry, each.job.version)
        for each in survey(entries, store)
        if each.state is State.DONE and each.job
    ]
    rivals = [entry.model for entry, _ in trained if entry.role is Role.RIVAL]
    if (rival is None and len(rivals) > 1) or (rival is not None and rival not in rivals):
        allowed = f"one of {', '.join(rivals) or 'those that were trained'}: look at their samples"
        raise InvalidValue("rival", rival, allowed)
    winner = rival or next(iter(rivals), None)
    shipped: list[str] = []
    shown: list[str] = []
    for entry, version in trained:
        ships = entry.role is Role.SHIPPED or entry.model == winner
        (shipped if ships else shown).append(f"{entry.model}@{version}")
    return shipped, shown


def write_zoo(folder: Path, packed: Sequence[Packed], *, without: Sequence[str] = ()) -> None:
    """Write generators and the manifest into the zoo's folder; all of them or none.

    Args:
        folder: The zoo's.
        packed: The generators.
        without: Models to remove, if they are there.

    Raises:
        InvalidValue: A file, or all together, would exceed the limits of a release.
    """
    new = {each.card.model: len(each.weights) for each in packed}
    check_sizes(folder, {**dict.fromkeys(without, 0), **new})
    for model in set(without) - set(new):
        shutil.rmtree(folder / model, ignore_errors=True)
    for each in packed:
        entry = folder / each.card.model
        entry.mkdir(parents=True, exist_ok=True)
        (entry / WEIGHTS).write_bytes(each.weights)
        (entry / SAMPLES).write_bytes(each.sheet)
        (entry / "card.json").write_bytes(dumps(each.card))
        (entry / PICKS).unlink(missing_ok=True)
        if each.picks:
            (entry / PICKS).write_bytes(each.picks)
    models = sorted(path.parent.name for path in folder.glob(f"*/{WEIGHTS}"))
    (folder / MANIFEST).write_text("".join(f"{model}\n" for model in models), encoding="utf-8")


def check_sizes(folder: Path, new: Mapping[str, int]) -> None:
    """Check the size that the zoo would have.

    Args:
        folder: The zoo's.
        new: Bytes of new weights files by model.

    Raises:
        InvalidValue: See `write_zoo`.
    """
    kept = {path.parent.name: path.stat().st_size for path in folder.glob(f"*/{WEIGHTS}")}
    sizes = {**kept, **new}
    for model, size in sizes.items():
        check_file(model, size)
    if sum(sizes.values()) > MOST_ZOO_BYTES:
        each = ", ".join(f"{model} {megabytes(size)}" for model, size in sorted(sizes.items()))
        allowed = f"at most {megabytes(MOST_ZOO_BYTES)} together"
        raise InvalidValue("zoo", f"{megabytes(sum(sizes.values()))} ({each})", allowed)


def write_cards(folder: Path, store: Store, refs: Sequence[str]) -> None:
    """Write cards and small sample sheets of versions that do not ship.

    Raises:
        NotFound, Gone: There is no such version.
        CheckpointError: Its weights are damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for ref in refs:
        card = store.versions.card(*store.versions.resolve(ref))
        card = replace(card, order=order_of(store, card))
        engine = Engine(load_generator(store.versions.weights(card.model, card.version)))
        sheet = contact_sheet(engine.render(range(SHOWN)), SHOWN // 2)
        (folder / f"{card.model}.json").write_bytes(dumps(card))
        (folder / f"{card.model}.png").write_bytes(encode_png(sheet))
