"""Fixtures of the store's tests: every claim holds in a folder and in an object store."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from models.store import Store
from models.store.records import Budget, Card, DatasetRecord, TrainingOrder


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return an empty store, once in a folder and once in fsspec's object store stand-in."""
    if request.param == "folder":
        return Store.open(str(tmp_path / "store"))
    return Store.open(f"memory://{uuid4().hex}")


@pytest.fixture
def local_store(tmp_path: Path) -> Store:
    """Return an empty store in a folder."""
    return Store.open(str(tmp_path / "store"))


@pytest.fixture
def card() -> Callable[..., Card]:
    """Return a function that makes a card, with any field changed."""

    def make(**changes: object) -> Card:
        fields: dict = {
            "model": "",
            "version": "",
            "sha256": "",
            "recipe": "dcgan",
            "size_px": 64,
            "z_dim": 100,
            "latent": "any",
            "settings": {"width": 8},
            "kimg": 1.5,
            "seed": 7,
            "created_at": "2026-01-01T00:00:00Z",
        }
        return Card(**{**fields, **changes})

    return make


@pytest.fixture
def order() -> TrainingOrder:
    """Return an order of the recipe `dcgan` on the dataset `cats`."""
    return TrainingOrder(
        recipe="dcgan", dataset="cats", model="dcgan", size_px=64, budget=Budget(kimg=1)
    )


@pytest.fixture
def dataset() -> DatasetRecord:
    """Return the record of a dataset `cats` with pictures of 32 and 64 px."""
    return DatasetRecord(
        name="cats",
        fingerprint="f" * 64,
        kept=3,
        heldout=1,
        counts={"32": 2, "64": 2},
        heldout_counts={"32": 1},
    )
