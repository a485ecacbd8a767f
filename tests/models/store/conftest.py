"""Fixtures of the store's tests: every claim holds in a folder and in an object store."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from models.store import Store
from models.store.records import Card, DatasetRecord, TrainingOrder
from tests import records


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
    return partial(records.card, z_dim=100, settings={"width": 8}, seed=7)


@pytest.fixture
def order() -> TrainingOrder:
    """Return an order of the recipe `dcgan` on the dataset `cats`."""
    return records.training_order()


@pytest.fixture
def dataset() -> DatasetRecord:
    """Return the record of a dataset `cats` with pictures of 32 and 64 px."""
    counts = {"32": 2, "64": 2}
    return records.dataset_record(counts, 1, name="cats", heldout_counts={"32": 1})
