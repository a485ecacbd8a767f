"""Evaluates a generator against a dataset, whose reference statistics are computed once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.batches import open_pack
from models.errors import DatasetError, InvalidValue
from models.images.cat_faces import FacesUnavailable
from models.inference.checkpoints import Generator
from models.inference.engine import Engine
from models.metrics.blocks import as_rows
from models.metrics.comparison import Comparison, Measurement
from models.metrics.faces import MEANINGFUL_SHARE, FaceCounter, FaceTally
from models.metrics.features import Features
from models.metrics.protocols import REALS_AT_MOST, Protocol
from models.metrics.reference import FORMAT_VERSION, Reference, make_reference
from models.store import Store
from models.store.records import DatasetRecord

CHUNK = 32  # images in memory at a time

S = TypeVar("S", range, NDArray[np.int64])

OnProgress = Callable[[int, int], None]  # called with images done and in total


def reference_statistics(
    store: Store,
    dataset: DatasetRecord,
    size_px: int,
    *,
    cache: Path,
    features: Features | None = None,
    reals_at_most: int = REALS_AT_MOST,
    device: torch.device | None = None,
    on_progress: OnProgress | None = None,
) -> Reference:
    """Return a dataset's reference statistics at a resolution, from the store if they are there.

    Args:
        store: Holds the dataset and the statistics.
        dataset: The dataset.
        size_px: Resolution.
        cache: Local folder for packs of a remote store.
        features: The feature network; the default one if None.
        reals_at_most: Larger datasets are represented by as many images, evenly spaced.
        device: Where to compute; the CPU if None.
        on_progress: Called with images done and in total.

    Raises:
        DatasetError: It has fewer than two images of that size.
        StoreError: The stored statistics are damaged.
    """
    device = device or torch.device("cpu")
    features = features or Features(device)
    total = dataset.counts.get(str(size_px), 0)
    if total < 2:
        detail = f"The dataset {dataset.name!r} has {total} images of {size_px} px."
        raise DatasetError("dataset", dataset.name, "one with at least two", detail)
    kept = stored_reference(store, dataset, size_px, features.key, reals_at_most)
    if kept is not None:
        return kept
    packs = [_pack(store, dataset, size_px, cache, heldout=heldout) for heldout in (False, True)]
    chosen = [_evenly(len(pack), reals_at_most) for pack in packs]
    count_done = _counter(sum(map(len, chosen)), on_progress)
    real, heldout = (
        _features_of(features, (pack[part] for part in _chunks(rows)), count_done)
        for pack, rows in zip(packs, chosen, strict=True)
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
    key = _key(dataset, size_px, features.key, reals_at_most)
    store.datasets.write_reference(dataset.name, key, reference.to_bytes())
    return reference


def face_tally(
    store: Store, dataset: DatasetRecord, size_px: int, protocol: Protocol, *, cache: Path
) -> FaceTally | None:
    """Return a counter of faces with the share to expect, that of as many real images.

    None if the protocol counts none, the extra `faces` is not installed, or the dataset has no
    faces that could be counted. The share is computed once and kept in the store.
    """
    try:
        counter = FaceCounter() if protocol.faces else None
    except FacesUnavailable:
        return None
    if counter is None:
        return None
    key = f"{dataset.fingerprint[:12]}-faces-{size_px}-{protocol.faces}-{FORMAT_VERSION}"
    kept = store.datasets.read_reference(dataset.name, key)
    if kept is None:
        pack = _pack(store, dataset, size_px, cache, heldout=False)
        kept = str(counter.single_share(pack[_evenly(len(pack), protocol.faces)])).encode()
        store.datasets.write_reference(dataset.name, key, kept)
    share = float(kept)
    if not share >= MEANINGFUL_SHARE:
        return None
    return FaceTally(counter=counter, expected=share, wanted=protocol.faces)


def stored_reference(
    store: Store,
    dataset: DatasetRecord,
    size_px: int,
    features: str,
    reals_at_most: int = REALS_AT_MOST,
) -> Reference | None:
    """Return a dataset's reference statistics if the store has them, by the key of the features.

    Raises:
        StoreError: They are damaged.
    """
    key = _key(dataset, size_px, features, reals_at_most)
    kept = store.datasets.read_reference(dataset.name, key)
    if kept is None:
        return None
    return Reference.from_bytes(kept, f"datasets/{dataset.name}/references/{key}")


def _key(dataset: DatasetRecord, size_px: int, features: str, reals_at_most: int) -> str:
    count = min(dataset.counts.get(str(size_px), 0), reals_at_most)
    return f"{dataset.fingerprint[:12]}-{features}-{size_px}-{count}-{FORMAT_VERSION}"


def _pack(
    store: Store, dataset: DatasetRecord, size_px: int, cache: Path, *, heldout: bool
) -> NDArray[np.uint8]:
    counts = dataset.heldout_counts if heldout else dataset.counts
    if not counts.get(str(size_px)):
        return np.empty((0, size_px, size_px, 3), np.uint8)
    return open_pack(store.datasets.pack_path(dataset.name, size_px, heldout=heldout, cache=cache))


def _evenly(total: int, most: int) -> NDArray[np.int64]:
    """Return evenly spaced indices of at most `most` images, since packs are often sorted."""
    return np.linspace(0, max(total - 1, 0), min(total, most)).round().astype(np.int64)


def _counter(total: int, on_progress: OnProgress | None) -> Callable[[int], None]:
    """Return a function that adds to a count and reports it."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        if on_progress:
            on_progress(done, total)

    return add


def _chunks(rows: S) -> Iterator[S]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _features_of(
    features: Features, chunks: Iterator[NDArray[np.uint8]], count_done: Callable[[int], None]
) -> Tensor:
    """Return the features of all chunks, (N, D) float32 on the CPU."""
    rows = [features(np.empty((0, 1, 1, 3), np.uint8))]
    for images in chunks:
        rows.append(features(images))
        count_done(len(images))
    return torch.from_numpy(np.concatenate(rows))


def measure(
    generator: Generator,
    reference: Reference,
    features: Features,
    device: torch.device,
    protocol: Protocol,
    *,
    faces: FaceTally | None = None,
    on_progress: OnProgress | None = None,
) -> Measurement:
    """Evaluate a generator against real images.

    Args:
        generator: As loaded from its file.
        reference: Of real images at the same resolution.
        features: The feature network of the reference.
        device: Where to render and to compute.
        protocol: What to measure, and how.
        faces: Counts the faces of fakes, from `face_tally`; none are counted if None.
        on_progress: Called with images done and in total.

    Raises:
        InvalidValue: Generator, reference and features do not match.
    """
    if (generator.size_px, features.key) != (reference.size_px, reference.features):
        found = f"{features.key} at {generator.size_px} px"
        allowed = f"{reference.features} at {reference.size_px} px"
        raise InvalidValue("measured images", found, f"as the real ones, {allowed}")
    seeds = protocol.seeds(reference.size_px)
    engine = Engine(generator, device)
    chunks = (_tallied(engine.render(part), faces) for part in _chunks(seeds))
    rows = _features_of(features, chunks, _counter(len(seeds), on_progress))
    comparison = Comparison(reference, as_rows(rows, device), seeds)
    measurement = comparison.measurement(protocol, features)
    if faces is None:
        return measurement
    row = {**faces.row(), "protocol": measurement.rows[0]["protocol"]}
    return replace(measurement, rows=(*measurement.rows, row))


def _tallied(images: NDArray[np.uint8], faces: FaceTally | None) -> NDArray[np.uint8]:
    if faces:
        faces.add(images)
    return images
