"""From trained versions to the files that a release ships: half the size, measured again."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import CatteryError, InvalidValue
from models.images.formats import card_seeds, contact_sheet, encode_png
from models.inference.checkpoints import load_generator, pack_generator
from models.inference.engine import Engine
from models.inference.latents import check_seed
from models.inference.registry import CANONICAL
from models.metrics.protocols import merged
from models.store import Store
from models.store.names import timestamp
from models.store.records import Card, Json
from models.store.serialization import dumps, to_json
from models.store.versions import SAMPLES, WEIGHTS
from models.zoo.install import MANIFEST

MOST_FILE_BYTES = 30_000_000
MOST_ZOO_BYTES = 100_000_000

PRECISION = "fp16"

SHOWN = 16
"""Cats on the sheet of what is not shipped."""

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
        InvalidValue: A pick is no seed, the model has another size, the file would be
            too large for a release, or nobody said what its data's license is.
        CatteryError: It cannot be measured.
    """
    source = store.versions.card(*store.versions.resolve(ref))
    raw = store.versions.weights(source.model, source.version)
    weights, name = pack_generator(raw), model or source.model
    _check_file(name, len(weights))  # before the minutes of measuring
    if not source.dataset.get("license"):
        allowed = "a version whose dataset has a license, or says what is known of it"
        raise InvalidValue("license", source.dataset.get("name"), allowed)
    card = replace(
        source,
        model=name,
        settings={**source.settings, "weights": PRECISION},
        created_at=timestamp(),
        order=source.order or _order_of(store, source),
        parent=source.parent if weights == raw else source.version,  # packed already
        engine=CANONICAL,
        job=None,
        promotion=None,
        picks=tuple(check_seed(pick, "picks") for pick in picks),
    )
    found = appraise(card, weights)
    if not found:
        raise CatteryError(f"{ref} cannot be measured once packed.", "See the log for why.")
    engine = Engine(load_generator(weights))
    sheet = encode_png(contact_sheet(engine.render(card_seeds(card.size_px))))
    published = store.versions.publish(name, weights, replace(card, metrics=found), sheet)
    # Packed before, perhaps with other picks or measured otherwise.
    metrics = merged(published.metrics, found)
    card = store.versions.update_card(name, published.version, metrics=metrics, picks=card.picks)
    row = encode_png(contact_sheet(engine.render(picks), len(picks))) if picks else b""
    return Packed(card=card, weights=weights, sheet=sheet, picks=row)


def _order_of(store: Store, card: Card) -> dict[str, object]:
    """Return the order of a version whose card does not tell it, where its job is known."""
    return {} if card.job is None else to_json(store.jobs.order(store.jobs.get(card.job)))


def write_zoo(folder: Path, packed: Sequence[Packed], *, without: Sequence[str] = ()) -> None:
    """Write generators into the zoo's folder, all of them or none, and the list of all.

    Args:
        folder: The zoo's.
        packed: What comes in.
        without: Models that go, if they are there.

    Raises:
        InvalidValue: A file, or all together, would be larger than a release may hold;
            what is too large is named, and nothing is written.
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
        if each.picks:
            (entry / PICKS).write_bytes(each.picks)
        else:
            (entry / PICKS).unlink(missing_ok=True)
    models = sorted(path.parent.name for path in folder.glob(f"*/{WEIGHTS}"))
    (folder / MANIFEST).write_text("".join(f"{model}\n" for model in models), encoding="utf-8")


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
        _check_file(model, size)
    if sum(sizes.values()) > MOST_ZOO_BYTES:
        each = ", ".join(f"{model} {_megabytes(size)}" for model, size in sorted(sizes.items()))
        allowed = f"at most {_megabytes(MOST_ZOO_BYTES)} together"
        raise InvalidValue("zoo", f"{_megabytes(sum(sizes.values()))} ({each})", allowed)


def _check_file(model: str, size: int) -> None:
    if size > MOST_FILE_BYTES:
        allowed = f"at most {_megabytes(MOST_FILE_BYTES)} a file: train it with less width"
        raise InvalidValue("zoo", f"{model}/{WEIGHTS}, {_megabytes(size)}", allowed)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def write_cards(folder: Path, store: Store, refs: Sequence[str]) -> None:
    """Write cards and small contact sheets of versions that are shown and not shipped.

    Raises:
        NotFound, Gone: There is no such version.
        CheckpointError: Its weights are damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for ref in refs:
        card = store.versions.card(*store.versions.resolve(ref))
        card = replace(card, order=card.order or _order_of(store, card))
        engine = Engine(load_generator(store.versions.weights(card.model, card.version)))
        sheet = contact_sheet(engine.render(range(SHOWN)), SHOWN // 2)
        (folder / f"{card.model}.json").write_bytes(dumps(card))
        (folder / f"{card.model}.png").write_bytes(encode_png(sheet))
