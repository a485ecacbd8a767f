"""Fixtures of the store's tests: every claim holds in a folder and in an object store."""

from functools import partial
from uuid import uuid4

import pytest

from models.store import Store
from tests import records


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    """Return an empty store, once in a folder and once in fsspec's object store stand-in."""
    if request.param == "folder":
        return Store.open(str(tmp_path / "store"))
    return Store.open(f"memory://{uuid4().hex}")


@pytest.fixture
def local_store(tmp_path):
    return Store.open(str(tmp_path / "store"))


@pytest.fixture
def card():
    return partial(records.card, z_dim=100, settings={"width": 8}, seed=7)


@pytest.fixture
def order():
    return records.training_order()


@pytest.fixture
def dataset():
    counts = {"32": 2, "64": 2}
    return records.dataset_record(counts, 1, name="cats", heldout_counts={"32": 1})
