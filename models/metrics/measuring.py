"""Measure a generator against a dataset; make and keep what that needs of the real images."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.batches import open_pack
from models.errors import DatasetError, InvalidValue
from models.inference.checkpoints import Generator
from models.inference.engine import Engine
from models.metrics.blocks import as_rows
from models.metrics.comparison import Comparison, Measurement, Pair
from models.metrics.features import Features
from models.metrics.protocols import PROTOCOLS, REALS_AT_MOST, Protocol, headline
from models.metrics.reference import FORMAT_VERSION, Reference, make_reference
from models.store import Store
from models.store.records import DatasetRecord

__all__ = [
    "PROTOCOLS",
    "Measurement",
    "Pair",
    "Protocol",
    "Reference",
    "headline",
    "measure",
    "reference_statistics",
]

CHUNK = 32  # images in memory at a time

Tell = Callable[[int, int], None]


def reference_statistics(
    store: Store,
    dataset: DatasetRecord,
    size_px: int,
    *,
    cache: Path,
    features: Features | None = None,
    reals_at_most: int = REALS_AT_MOST,
    device: torch.device | None = None,
    on_progress: Tell | None = None,
) -> Reference:
    """Return what measuring needs of a dataset's images at a size, made once and kept.

    Args:
        store: Holds the dataset and the kept statistics.
        dataset: The dataset.
        size_px: Image resolution that will be compared with it.
        cache: Local folder for packs of a remote store.
        features: The feature network; the default one if None.
        reals_at_most: More training images are represented by as many from all over.
        device: Where to compute; the CPU if None.
        on_progress: Is told done and total images.

    Raises:
        DatasetError: It has fewer than two images of that size.
        StoreError: What was kept is damaged.
    """
    device = device or torch.device("cpu")
    features = features or Features(device)
    total = dataset.counts.get(str(size_px), 0)
    if total < 2:
        raise DatasetError("dataset", f"{total} images of {size_px} px", "at least two")
    count = min(total, reals_at_most)
    key = f"{dataset.fingerprint[:12]}-{features.key}-{size_px}-{count}-{FORMAT_VERSION}"
    kept = store.datasets.read_reference(dataset.name, key)
    if kept is not None:
        return Reference.from_bytes(kept, f"datasets/{dataset.name}/references/{key}")
    packs = [_pack(store, dataset, size_px, cache, heldout=heldout) for heldout in (False, True)]
    chosen = [_evenly(len(pack), reals_at_most) for pack in packs]
    tell = _counter(sum(map(len, chosen)), on_progress)
    real, heldout = (
        _features_of(features, pack, rows, tell) for pack, rows in zip(packs, chosen, strict=True)
    )
    reference = make_reference(
        real,
        heldout,
        pictures=torch.from_numpy(chosen[0]),
        device=device,
        features=features.key,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        size_px=size_px,
    )
    store.datasets.write_reference(dataset.name, key, reference.to_bytes())
    return reference


def _pack(
    store: Store, dataset: DatasetRecord, size_px: int, cache: Path, *, heldout: bool
) -> NDArray[np.uint8]:
    counts = dataset.heldout_counts if heldout else dataset.counts
    if not counts.get(str(size_px)):
        return np.empty((0, size_px, size_px, 3), np.uint8)
    return open_pack(store.datasets.pack_path(dataset.name, size_px, heldout=heldout, cache=cache))


def _evenly(total: int, most: int) -> NDArray[np.int64]:
    """Return indices of at most so many images, from all over: packs are often sorted."""
    return np.linspace(0, max(total - 1, 0), min(total, most)).round().astype(np.int64)


def _counter(total: int, on_progress: Tell | None) -> Callable[[int], None]:
    """Return what adds to a count and tells it."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        if on_progress:
            on_progress(done, total)

    return add


def _features_of(
    features: Features,
    pack: NDArray[np.uint8],
    indices: NDArray[np.int64],
    tell: Callable[[int], None],
) -> Tensor:
    chunks = (pack[indices[start : start + CHUNK]] for start in range(0, len(indices), CHUNK))
    return _stacked(features, chunks, tell)


def _stacked(
    features: Features, chunks: Iterator[NDArray[np.uint8]], tell: Callable[[int], None]
) -> Tensor:
    """Return the features of all chunks, (N, D) float32 on the CPU."""
    rows = [features(np.empty((0, 1, 1, 3), np.uint8))]
    for pictures in chunks:
        rows.append(features(pictures))
        tell(len(pictures))
    return torch.from_numpy(np.concatenate(rows))


def measure(
    generator: Generator,
    reference: Reference,
    features: Features,
    device: torch.device,
    protocol: Protocol,
    *,
    on_progress: Tell | None = None,
) -> Measurement:
    """Measure a generator against real images.

    Args:
        generator: As it was loaded from its file.
        reference: Of the real images at the same size.
        features: The feature network that the reference was made with.
        device: Where to make the images and to compute.
        protocol: What to measure, and how.
        on_progress: Is told done and total images.

    Raises:
        InvalidValue: Generator, reference and features do not belong together.
    """
    if (generator.size_px, features.key) != (reference.size_px, reference.features):
        found = f"{features.key} at {generator.size_px} px"
        allowed = f"{reference.features} at {reference.size_px} px"
        raise InvalidValue("measured images", found, f"as the real ones, {allowed}")
    seeds = protocol.seeds(reference.size_px)
    engine = Engine(generator, device)
    chunks = (engine.render(seeds[i : i + CHUNK]) for i in range(0, len(seeds), CHUNK))
    rows = _stacked(features, chunks, _counter(len(seeds), on_progress))
    comparison = Comparison(reference, as_rows(rows, device), seeds)
    return comparison.measurement(protocol, features)
