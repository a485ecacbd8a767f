"""Packs a trained version for release: float16 weights, evaluated again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.devices import pick_device
from models.errors import CatteryError, InvalidValue
from models.images.formats import card_seeds, contact_sheet, encode_png
from models.inference.checkpoints import load_generator, pack_generator
from models.inference.engine import Engine
from models.inference.latents import check_seed
from models.inference.registry import CANONICAL
from models.metrics.faces import ENOUGH, has_enough_faces
from models.metrics.protocols import HELD_OUT, SINGLE_FACE, merged
from models.networks.efficientnet import has_lite2
from models.publishing.evaluation import Evaluator
from models.store import Store
from models.store.names import timestamp
from models.store.records import Card, Json
from models.store.serialization import to_json
from models.store.versions import WEIGHTS
from worker.settings import WorkerSettings

MOST_FILE_BYTES = 30_000_000
PRECISION = "fp16"

Evaluate = Callable[[Card, bytes], tuple[Json, ...]]
"""Measures weights on the dataset that a card names; returns no rows where that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One generator in the form in which it ships.

    Attributes:
        card: Its card, with the version it was packed from as parent.
        weights: Its weights file.
        sheet: Its contact sheet, a PNG file.
        picks: The best cats in one row, a PNG file; empty if none were picked.
    """

    card: Card
    weights: bytes
    sheet: bytes
    picks: bytes


def pack_version(
    store: Store,
    ref: str,
    evaluate: Evaluate,
    *,
    model: str | None = None,
    picks: Sequence[int] = (),
) -> Packed:
    """Convert a version to float16, evaluate the result and publish it in the store.

    Args:
        store: Holds the version, and gets the new one.
        ref: The version, "model@version".
        evaluate: Measures the new version.
        model: Model to publish it under; the version's own if None.
        picks: Seeds of the best cats.

    Raises:
        NotFound, Gone: There is no such version.
        CheckpointError: Its weights are damaged, or too large for float16.
        InvalidValue: A pick is no seed, the model has another size, the file is too large
            for a release, it has too few faces, or the license of its dataset is not known.
        CatteryError: It cannot be measured.
    """
    source = store.versions.card(*store.versions.resolve(ref))
    raw = store.versions.weights(source.model, source.version)
    weights, name = pack_generator(raw), model or source.model
    check_file(name, len(weights))  # fail before the minutes that measuring takes
    if not source.dataset.get("license"):
        allowed = "a version whose dataset states its license"
        raise InvalidValue("license", source.dataset.get("name"), allowed)
    card = replace(
        source,
        model=name,
        settings={**source.settings, "weights": PRECISION},
        created_at=timestamp(),
        order=order_of(store, source),
        # A version that was packed before keeps its original as parent.
        parent=source.parent if weights == raw else source.version,
        engine=CANONICAL,
        job=None,
        promotion=None,
        picks=tuple(check_seed(pick, "picks") for pick in picks),
    )
    rows = evaluate(card, weights)
    if not rows:
        raise CatteryError(f"{ref} cannot be measured once packed.", "See the log for why.")
    _check_faces(ref, rows)
    engine = Engine(load_generator(weights))
    sheet = encode_png(contact_sheet(engine.render(card_seeds(card.size_px))))
    published = store.versions.publish(name, weights, replace(card, metrics=rows), sheet)
    # Publishing is idempotent: an existing card lacks the new picks and measurements.
    metrics = merged(published.metrics, rows)
    card = store.versions.update_card(name, published.version, metrics=metrics, picks=card.picks)
    row = encode_png(contact_sheet(engine.render(picks), len(picks))) if picks else b""
    return Packed(card=card, weights=weights, sheet=sheet, picks=row)


def order_of(store: Store, card: Card) -> dict[str, object]:
    """Return a version's training order: its card's, or its job's where the card has none."""
    if card.order or card.job is None:
        return dict(card.order)
    return to_json(store.jobs.order(store.jobs.get(card.job)))


def evaluator(store: Store, cache: Path) -> Evaluate:
    """Return a function that measures weights with the default and the held-out protocol.

    The held-out protocol is skipped where its feature network is not installed.

    Args:
        store: Holds the datasets.
        cache: Local folder for packs of a remote store.
    """
    settings = WorkerSettings()
    device = pick_device(settings.device)
    protocols = ("cattery", HELD_OUT) if has_lite2() else ("cattery",)

    def evaluate(card: Card, weights: bytes) -> tuple[Json, ...]:
        dataset = store.datasets.get(str(card.dataset.get("name")))
        rows: list[Json] = []
        for protocol in protocols:
            found = Evaluator(
                store, dataset, card.size_px, cache, device, settings.fakes, protocol=protocol
            ).version(weights)
            if found is None:
                return ()
            rows += found.rows
        return tuple(rows)

    return evaluate


def _check_faces(ref: str, rows: Sequence[Json]) -> None:
    """Refuse a generator whose images have a face too rarely, where faces were counted."""
    for row in rows:
        if row["name"] == SINGLE_FACE and not has_enough_faces(row):
            needed = ENOUGH * row["details"]["expected"]
            found = f"{ref}, one face in {row['value']:.0%} of its images"
            raise InvalidValue(
                "zoo", found, f"at least {needed:.0%}, {ENOUGH:.0%} of the real share"
            )


def check_file(model: str, size_bytes: int) -> None:
    """Refuse a weights file that is too large for a release.

    Raises:
        InvalidValue: It is; model, size and limit are named.
    """
    if size_bytes > MOST_FILE_BYTES:
        allowed = f"at most {megabytes(MOST_FILE_BYTES)} per file: train it with less width"
        raise InvalidValue("zoo", f"{model}/{WEIGHTS}, {megabytes(size_bytes)}", allowed)


def megabytes(size_bytes: int) -> str:
    """Return a file size as text."""
    return f"{size_bytes / 1e6:.1f} MB"
