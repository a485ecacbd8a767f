"""`cattery evaluate`: how good a version is, measured now and kept on its card."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import counting_bar, say, show_table
from app.cli.store import open_store_with_zoo, shared_settings
from models.errors import InvalidValue
from models.metrics.protocols import PROTOCOLS, Protocol, merged, protocol

if TYPE_CHECKING:
    from models.metrics.comparison import Measurement
    from models.store import Store
    from models.store.records import Card, DatasetRecord


def evaluate(
    ref: Annotated[str, typer.Argument(help="model, model@version or model@previous.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="Dataset to compare with; none: the one it was trained on."),
    ] = None,
    protocol_name: Annotated[
        str, typer.Option("--protocol", help=f"One of {', '.join(PROTOCOLS)}.")
    ] = "cattery",
    inception: Annotated[
        Path | None,
        typer.Option(help="Safetensors file with the FID's Inception weights, for inception."),
    ] = None,
    neighbors: Annotated[
        Path | None,
        typer.Option(
            help="PNG to write: the samples nearest to a training picture, above that picture."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Measure a version against real pictures; print the results and add them to its card."""
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
    say(f"{model}@{version} against {record.name}, protocol {row.name}; the card keeps it.")


def _check_target(path: Path | None, row: Protocol) -> None:
    """Refuse a file that could not be written, before the minutes of measuring."""
    if path is None:
        return
    if not row.has_neighbors:
        raise InvalidValue("neighbors", str(path), f"nothing: {row.name} looks for no neighbors")
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise InvalidValue("neighbors", str(path), "a .png file in an existing folder")


def _dataset(store: "Store", card: "Card", name: str | None) -> "DatasetRecord":
    """Return the dataset to compare with, and say so if it is not what it was trained on."""
    trained = card.dataset.get("name")
    wanted = name or trained
    if not isinstance(wanted, str):
        raise InvalidValue("dataset", None, "a dataset in the store, since the card names none")
    record = store.datasets.get(wanted)
    learned = card.dataset.get("fingerprint")
    if isinstance(learned, str) and learned != record.fingerprint:
        say(
            f"Note: {card.model}@{card.version} was trained on other pictures than {wanted} holds "
            f"(fingerprint {learned[:12]}, not {record.fingerprint[:12]})."
        )
    return record


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
    from models.metrics.measuring import measure, reference_statistics

    device = pick_device(device_name)
    features = Features(device, row.features, inception)
    generator = load_generator(store.versions.weights(card.model, card.version))
    with _counted("real pictures") as tell:
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
    with _counted("samples") as tell:
        return measure(generator, reference, features, device, row, on_progress=tell)


@contextmanager
def _counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar once there is something to count; yield what moves it."""
    with counting_bar() as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    low, high = row.get("interval", (None, None))
    details = row.get("details", {})
    remarks = ""
    if "expected" in details:
        remarks = (
            f"expected {details['expected']:.4g} if nothing is memorized; "
            f"median distance {details['median_ratio']:.3g} of held-out pictures'"
        )
    interval = None if low is None else f"{low:.6g} to {high:.6g}"
    return row["name"], f"{row['value']:.6g}", interval, remarks


def _draw(
    store: "Store", card: "Card", record: "DatasetRecord", measurement: "Measurement", path: Path
) -> None:
    """Write the closest samples as one row, the training pictures nearest to them as the next."""
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
