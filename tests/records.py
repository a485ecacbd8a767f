"""Records whose fields a test seldom cares for are filled in; any of them can be changed."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.store import Store
from models.store.records import Budget, Card, DatasetRecord, JobRecord, Json, TrainingOrder


def card(**changes: Any) -> Card:
    """Return the card of a small DCGAN that is not published yet."""
    values: dict[str, Any] = {
        "model": "",
        "version": "",
        "sha256": "",
        "recipe": "dcgan",
        "size_px": 64,
        "z_dim": 8,
        "latent": "any",
        "settings": {},
        "kimg": 1.5,
        "seed": 0,
        "created_at": "2026-01-01T00:00:00Z",
    }
    return Card(**values | changes)


def training_order(**changes: Any) -> TrainingOrder:
    """Return an order of the recipe `dcgan` at 64 px on the dataset `cats`."""
    values: dict[str, Any] = {
        "recipe": "dcgan",
        "dataset": "cats",
        "model": "dcgan",
        "size_px": 64,
        "budget": Budget(kimg=1),
    }
    return TrainingOrder(**values | changes)


def dataset_record(counts: dict[str, int], heldout: int = 0, **changes: Any) -> DatasetRecord:
    """Return the record of a dataset: pictures to train on by size, and so many held out of all."""
    values: dict[str, Any] = {
        "name": "small",
        "fingerprint": "0" * 64,
        "kept": max(counts.values()) + heldout,
        "heldout": heldout,
        "counts": counts,
        "heldout_counts": dict.fromkeys(counts, heldout) if heldout else {},
    }
    return DatasetRecord(**values | changes)


def add_dataset(
    store: Store, folder: Path, packs: dict[str, NDArray[np.uint8]], **changes: Any
) -> None:
    """Add a dataset to a store: packs by file name, such as "32-heldout", through a folder."""
    files = {"preview.png": folder / "preview.png"}
    Image.fromarray(next(iter(packs.values()))[0]).save(files["preview.png"])
    for name, rows in packs.items():
        if len(rows):
            files[f"packs/{name}.npy"] = folder / f"{name}.npy"
            np.save(files[f"packs/{name}.npy"], rows)
    counts = {name: len(rows) for name, rows in packs.items() if "-" not in name}
    heldout = max((len(rows) for name, rows in packs.items() if "-" in name), default=0)
    store.datasets.add(dataset_record(counts, heldout, **changes), files)


def put_job(store: Store, record: JobRecord, event: str = "changed") -> JobRecord:
    """Make a job that has not ended what a record says, as one more event of its history."""
    now = store.jobs.get(record.id)
    changes = {field.name: getattr(record, field.name) for field in fields(record)}
    del changes["events"]
    return store.jobs.change(now, event, {}, **changes)


def add_event(store: Store, job: str, kind: str, data: Json) -> JobRecord:
    """Add an event to a job's history."""
    return store.jobs.change(store.jobs.get(job), kind, data)
