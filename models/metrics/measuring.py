"""Measure a generator against a data set; make and keep the reference statistics."""

from collections.abc import Callable
from pathlib import Path

import torch

from models.checkpoints import Generator
from models.data import open_pack
from models.engine import Engine
from models.errors import DatasetError
from models.metrics.features import NAME, Features
from models.metrics.frechet import Reference, frechet_distance, reference_of
from models.store import Store
from models.store.records import DatasetRecord, Json

METRIC = "frechet_distance"
FAKES = 512
REALS_AT_MOST = 10_000
PROTOCOL = "frechet-512"


def reference_statistics(
    store: Store,
    dataset: DatasetRecord,
    size_px: int,
    *,
    cache: Path,
    device: torch.device | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Reference:
    """Return the statistics of a data set's training pictures at a size, made once and kept.

    Args:
        store: Holds the data set and the kept statistics.
        dataset: The data set.
        size_px: Side of the pictures that will be compared with it.
        cache: Local folder for packs of a remote store.
        device: Where to compute; the CPU if None.
        on_progress: Is told done and total pictures.

    Raises:
        DatasetError: It has fewer than two pictures of that size.
    """
    key = f"{NAME}-{size_px}"
    kept = store.datasets.read_reference(dataset.name, key)
    if kept is not None:
        return Reference.from_bytes(kept)
    count = min(dataset.counts.get(str(size_px), 0), REALS_AT_MOST)
    if count < 2:
        raise DatasetError("dataset", f"{count} pictures of {size_px} px", "at least two")
    path = store.datasets.pack_path(dataset.name, size_px, heldout=False, cache=cache)
    features = Features(device or torch.device("cpu"))
    report = (lambda done: on_progress(done, count)) if on_progress else None
    reference = reference_of(features(open_pack(path)[:count], report))
    store.datasets.write_reference(dataset.name, key, reference.to_bytes())
    return reference


def measure(
    generator: Generator, reference: Reference, features: Features, device: torch.device
) -> Json:
    """Measure a generator's first 512 seeds against real pictures.

    Args:
        generator: As it was loaded from its file.
        reference: Statistics of the real pictures at the same size.
        features: The feature network.
        device: Where to make the pictures.

    Returns:
        `{"name", "value", "protocol"}`, as a card keeps it.
    """
    engine = Engine(generator, device)
    made = [engine.render(range(start, start + 64)) for start in range(0, FAKES, 64)]
    rows = [features(pictures) for pictures in made]
    import numpy as np

    value = frechet_distance(reference, np.concatenate(rows))
    protocol = {
        "name": PROTOCOL,
        "fakes": FAKES,
        "reals": reference.count,
        "seeds": f"0 to {FAKES - 1}",
        **features.protocol,
    }
    return {"name": METRIC, "value": round(value, 4), "protocol": protocol}
