"""Directions are fitted once a version, and a failure costs nothing else."""

import logging

import pytest
import torch

from models.directions.keeping import fit_if_cheap, kept, kept_or_fitted
from models.errors import Gone, NotFound, StoreError
from models.store import Store
from tests.app.fake_engine import publish_real, real_weights

CPU = torch.device("cpu")


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "store"))


def test_a_version_is_fitted_once(store):
    card = publish_real(store, 1)
    assert kept(store, "dcgan", card.version) is None
    first = kept_or_fitted(store, "dcgan", card.version)
    again = kept_or_fitted(store, "dcgan", card.version)
    assert again.to_bytes() == first.to_bytes()
    assert fit_if_cheap(store, "dcgan", card.version, real_weights(1), CPU)
    assert kept(store, "dcgan", card.version).to_bytes() == first.to_bytes()


def test_what_is_there_is_never_replaced(store):
    """Addresses with directions rely on it."""
    card = publish_real(store, 1)
    assert store.directions.add("dcgan", card.version, b"first") == b"first"
    assert store.directions.add("dcgan", card.version, b"second") == b"first"


def test_a_fit_that_takes_too_long_is_left_to_the_command(store, caplog):
    card = publish_real(store, 1)
    with caplog.at_level(logging.INFO):
        assert not fit_if_cheap(store, "dcgan", card.version, real_weights(1), CPU, limit_s=1e-6)
    assert f"cattery models directions dcgan@{card.version}" in caplog.text
    assert kept(store, "dcgan", card.version) is None


def test_a_failure_is_logged_and_not_raised(store, caplog):
    card = publish_real(store, 1)
    assert not fit_if_cheap(store, "dcgan", card.version, b"damaged", CPU)
    assert "Could not fit directions" in caplog.text


def test_directions_leave_with_their_version(store):
    card = store.versions.publish("tabby", b"weights", publish_real(store, 1), b"sheet")
    store.directions.add("tabby", card.version, b"fitted")
    store.versions.delete("tabby", card.version)
    with pytest.raises(Gone):
        store.directions.read("tabby", card.version)
    with pytest.raises(NotFound):
        store.directions.read("nobody", card.version)
    assert not store.tree.exists(f"models/tabby/versions/{card.version}/directions.safetensors")


def test_a_damaged_file_is_reported(store):
    card = publish_real(store, 1)
    store.directions.add("dcgan", card.version, b"damaged")
    with pytest.raises(StoreError, match="cattery models directions"):
        kept_or_fitted(store, "dcgan", card.version)
