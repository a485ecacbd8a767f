"""`cattery evaluate`: measure a version and record the results on its card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import counted, say, show_table
from app.cli.generate import Device
from app.cli.store import open_store_with_zoo, shared_settings
from models.errors import Gone, InvalidValue, NotFound
from models.metrics.protocols import PROTOCOLS, SINGLE_FACE, Protocol, merged, protocol

if TYPE_CHECKING:
    from models.metrics.comparison import Measurement
    from models.store import Store
    from models.store.records import Card, DatasetRecord


def evaluate(
    ref: Annotated[str, typer.Argument(help="Name: model, model@version or model@previous.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="Dataset to compare with; default: the one it was trained on."),
    ] = None,
    protocol_name: Annotated[
        str, typer.Option("--protocol", help=f"Evaluation protocol: {', '.join(PROTOCOLS)}.")
    ] = "cattery",
    inception: Annotated[
        Path | None,
        typer.Option(help="Safetensors file of Inception weights, for --protocol inception."),
    ] = None,
    neighbors: Annotated[
        Path | None,
        typer.Option(
            help="PNG file to write: the samples closest to training pictures, above those."
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a version against real pictures, print the results and add them to its card."""
    row = protocol(protocol_name)
    _check_target(neighbors, row)
    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    card = store.versions.card(model, version)
    record = _dataset(store, card, dataset)
    measurement = _measure(store, card, record, row, inception, device)
    kept = store.versions.card(model, version).metrics
    store.versions.update_card(model, version, metrics=merged(kept, measurement.rows))
    show_table(("metric", "value", "95 % interval", "remarks"), map(_cells, measurement.rows))
    for name, reason in measurement.absent.items():
        say(f"No {name}: {reason}")
    if neighbors is not None:
        _draw(store, card, record, measurement, neighbors)
    say(f"Added to the card of {model}@{version}: against {record.name}, protocol {row.name}.")


def _check_target(path: Path | None, row: Protocol) -> None:
    """Refuse a file that could not be written, before minutes of measuring are spent on it."""
    if path is None:
        return
    if not row.has_neighbors:
        raise InvalidValue("neighbors", str(path), f"no file with --protocol {row.name}")
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise InvalidValue("neighbors", str(path), "a .png file in an existing folder")


def _dataset(store: "Store", card: "Card", name: str | None) -> "DatasetRecord":
    """Return the dataset to compare with; print a note if its pictures have changed."""
    trained = card.dataset.get("name")
    wanted = name or trained
    if not isinstance(wanted, str):
        detail = f"The card of {card.model}@{card.version} names no dataset."
        raise InvalidValue("dataset", None, "--dataset with one of the store", detail)
    record = store.datasets.get(wanted) if name else _trained_on(store, card, wanted)
    learned = card.dataset.get("fingerprint")
    if isinstance(learned, str) and learned != record.fingerprint:
        say(
            f"Note: {card.model}@{card.version} was not trained on the pictures of {wanted} "
            f"(fingerprint {learned[:12]}, not {record.fingerprint[:12]})."
        )
    return record


def _trained_on(store: "Store", card: "Card", name: str) -> "DatasetRecord":
    """Return the dataset of a card, which another store may have."""
    try:
        return store.datasets.get(name)
    except (NotFound, Gone) as err:
        detail = f"{card.model}@{card.version} was trained on {name!r}, which is not in this store."
        raise InvalidValue("dataset", None, "--dataset with one of the store", detail) from err


def _measure(
    store: "Store",
    card: "Card",
    record: "DatasetRecord",
    row: Protocol,
    inception: Path | None,
    device_name: str,
) -> "Measurement":
    from models.devices import pick_device
    from models.inference.checkpoints import load_generator
    from models.metrics.features import Features
    from models.metrics.measuring import face_tally, measure, reference_statistics

    device = pick_device(device_name)
    features = Features(device, row.features, inception)
    generator = load_generator(store.versions.weights(card.model, card.version))
    with counted("real pictures") as tell:
        reference = reference_statistics(
            store,
            record,
            card.size_px,
            cache=shared_settings().data / "cache",
            features=features,
            reals_at_most=row.reals_at_most,
            device=device,
            on_progress=tell,
        )
    faces = face_tally(store, record, card.size_px, row, cache=shared_settings().data / "cache")
    with counted("samples") as tell:
        return measure(generator, reference, features, device, row, faces=faces, on_progress=tell)


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    low, high = row.get("interval", (None, None))
    details = row.get("details", {})
    remarks = ""
    if row["name"] == SINGLE_FACE:
        remarks = f"{details['expected']:.3g} of real pictures; of {details['images']} samples"
    elif "expected" in details:
        remarks = (
            f"expected {details['expected']:.4g} if nothing is memorized; "
            f"median distance {details['median_ratio']:.3g} of held-out pictures'"
        )
    interval = None if low is None else f"{low:.6g} to {high:.6g}"
    return row["name"], f"{row['value']:.6g}", interval, remarks


def _draw(
    store: "Store", card: "Card", record: "DatasetRecord", measurement: "Measurement", path: Path
) -> None:
    """Write a row of the closest samples above a row of the training pictures nearest to them."""
    import numpy as np

    from models.datasets.batches import open_pack
    from models.images.formats import contact_sheet, encode_png
    from models.inference.checkpoints import load_generator
    from models.inference.engine import Engine

    pairs, cache = measurement.closest, shared_settings().data / "cache"
    engine = Engine(load_generator(store.versions.weights(card.model, card.version)))
    made = engine.render([pair.seed for pair in pairs])
    pack = open_pack(store.datasets.pack_path(record.name, card.size_px, cache=cache))
    real = pack[[pair.picture for pair in pairs]]
    path.write_bytes(encode_png(contact_sheet(np.concatenate([made, real]), len(pairs))))
    say(f"{path}: seeds {', '.join(str(pair.seed) for pair in pairs)}, nearest first")
