"""From trained versions to the files that a release ships: half the size, measured again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.checkpoints import load_generator, pack_generator
from models.engine import Engine
from models.errors import CatteryError, InvalidValue
from models.images import card_seeds, contact_sheet, encode_png
from models.sampling import check_seed
from models.store import Store
from models.store.jsonable import dumps, to_json
from models.store.names import timestamp
from models.store.records import Card, Json
from models.store.versions import SAMPLES, WEIGHTS

MOST_FILE_BYTES = 30_000_000
MOST_ZOO_BYTES = 100_000_000

PRECISION = "fp16"

PICKS = "picks.png"
"""What the README shows; not a part of the release."""

Appraise = Callable[[Card, bytes], tuple[Json, ...]]
"""Measures weights on the data that a card names; nothing where that cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One generator as it is shipped.

    Attributes:
        card: Its own, with the version it was packed from as parent.
        weights: Its weights file.
        sheet: Its contact sheet, a PNG file.
        picks: The cats that are worth showing, in one row, a PNG file; empty if nobody chose.
    """

    card: Card
    weights: bytes
    sheet: bytes
    picks: bytes


def pack(
    store: Store, ref: str, appraise: Appraise, *, model: str = "", picks: Sequence[int] = ()
) -> Packed:
    """Make a version of half the size of another one, and add it to the store.

    Args:
        store: Holds the version, and gets the new one.
        ref: The version, "model@version".
        appraise: Measures the new one.
        model: Model that it joins; that of the version if empty.
        picks: Seeds of cats worth showing.

    Raises:
        NotFound, Gone: There is no such version.
        CheckpointError: Its weights are damaged, or too large for float16.
        InvalidValue: A pick is no seed, or the model has another size.
        CatteryError: It cannot be measured.
    """
    source = store.versions.card(*store.versions.resolve(ref))
    weights = pack_generator(store.versions.weights(source.model, source.version))
    card = replace(
        source,
        model=model or source.model,
        settings={**source.settings, "weights": PRECISION},
        created_at=timestamp(),
        order=source.order or _order_of(store, source),
        parent=source.version,
        job=None,
        promotion=None,
        picks=tuple(check_seed(pick, "picks") for pick in picks),
    )
    found = appraise(card, weights)
    if not found:
        raise CatteryError(f"{ref} cannot be measured once packed.", "See the log for why.")
    engine = Engine(load_generator(weights))
    sheet = encode_png(contact_sheet(engine.render(card_seeds(card.size_px))))
    card = replace(card, metrics=found)
    published = store.versions.publish(card.model, weights, card, sheet)
    # Packed before, perhaps with other picks or measured otherwise: the identity is the store's.
    card = replace(card, version=published.version, sha256=published.sha256)
    row = encode_png(contact_sheet(engine.render(picks), len(picks))) if picks else b""
    return Packed(card=card, weights=weights, sheet=sheet, picks=row)


def _order_of(store: Store, card: Card) -> dict[str, object]:
    """Return the order of a version whose card does not tell it, where its job is known."""
    return {} if card.job is None else to_json(store.jobs.order(store.jobs.get(card.job)))


def write_zoo(folder: Path, packed: Sequence[Packed]) -> None:
    """Write generators into the zoo's folder, all of them or none.

    Raises:
        InvalidValue: A file, or all together, would be larger than a release may hold;
            what is too large is named, and nothing is written.
    """
    check_sizes(folder, {each.card.model: len(each.weights) for each in packed})
    for each in packed:
        entry = folder / each.card.model
        entry.mkdir(parents=True, exist_ok=True)
        (entry / WEIGHTS).write_bytes(each.weights)
        (entry / SAMPLES).write_bytes(each.sheet)
        (entry / "card.json").write_bytes(dumps(each.card))
        if each.picks:
            (entry / PICKS).write_bytes(each.picks)
        else:
            (entry / PICKS).unlink(missing_ok=True)


def check_sizes(folder: Path, new: Mapping[str, int]) -> None:
    """Check what the zoo would hold with new files.

    Args:
        folder: The zoo's.
        new: Bytes by model.

    Raises:
        InvalidValue: As `write_zoo`.
    """
    kept = {path.parent.name: path.stat().st_size for path in folder.glob(f"*/{WEIGHTS}")}
    sizes = {**kept, **new}
    for model, size in sizes.items():
        if size > MOST_FILE_BYTES:
            allowed = f"at most {_megabytes(MOST_FILE_BYTES)} a file: train it with less width"
            raise InvalidValue("zoo", f"{model}/{WEIGHTS}, {_megabytes(size)}", allowed)
    if sum(sizes.values()) > MOST_ZOO_BYTES:
        each = ", ".join(f"{model} {_megabytes(size)}" for model, size in sorted(sizes.items()))
        allowed = f"at most {_megabytes(MOST_ZOO_BYTES)} together"
        raise InvalidValue("zoo", f"{_megabytes(sum(sizes.values()))} ({each})", allowed)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def write_cards(folder: Path, store: Store, refs: Sequence[str]) -> None:
    """Write cards and contact sheets of versions that are shown and not shipped."""
    folder.mkdir(parents=True, exist_ok=True)
    for ref in refs:
        card = store.versions.card(*store.versions.resolve(ref))
        card = replace(card, order=card.order or _order_of(store, card))
        (folder / f"{card.model}.json").write_bytes(dumps(card))
        (folder / f"{card.model}.png").write_bytes(store.versions.samples(card.model, card.version))
