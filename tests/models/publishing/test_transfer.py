"""Importing a version: the same checks whoever sent it."""

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from models.errors import CheckpointError, InvalidValue
from models.publishing.promotion import refused
from models.publishing.transfer import import_version
from models.store import Store
from tests.generators import weights_file


@pytest.fixture(scope="module")
def weights():
    return weights_file(z_dim=8, width=4)


def test_weights_alone_get_a_card_of_what_they_tell(store, weights):
    """The version is whole, has a sheet of 64 cats, and does not serve."""
    card = import_version(store, "tabby", weights)
    assert (card.model, card.size_px, card.z_dim) == ("tabby", 32, 8)
    assert card.settings == {"network": "dcgan", "size_px": 32, "z_dim": 8, "width": 4}
    assert "without a card" in card.note
    assert store.versions.weights("tabby", card.version) == weights
    sheet = Image.open(BytesIO(store.versions.samples("tabby", card.version)))
    assert (sheet.format, sheet.size) == ("PNG", (256, 256))
    assert store.aliases.get("tabby").serving is None


def test_a_version_travels_between_stores_with_its_card(store, card, weights, tmp_path):
    """Provenance arrives; what belongs to the other store's jobs does not."""
    there = Store.open(str(tmp_path / "there"))
    made = card(size_px=32, z_dim=8, job="k-1", promotion=refused("why"))
    sent = there.versions.publish("dcgan", weights, made, b"png")
    got = import_version(store, "tabby", there.versions.weights("dcgan", sent.version), sent)
    assert got == replace(sent, model="tabby", job=None, promotion=None)


def test_importing_twice_changes_nothing(store, weights):
    assert import_version(store, "tabby", weights) == import_version(store, "tabby", weights)


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size_px": 64}, {"z_dim": 9}])
def test_a_card_of_other_weights_is_refused(store, card, weights, tmp_path, changes):
    there = Store.open(str(tmp_path / "there"))
    sent = there.versions.publish("dcgan", weights, card(size_px=32, z_dim=8), b"png")
    with pytest.raises(CheckpointError, match="not that of the weights"):
        import_version(store, "tabby", weights, replace(sent, **changes))
    assert store.versions.models() == []


def test_damaged_weights_are_refused(store, weights):
    for bad in (b"", b"no weights at all", weights[:-100], weights_file(scale=float("nan"))):
        with pytest.raises(CheckpointError):
            import_version(store, "tabby", bad)
    assert store.versions.models() == []


def test_a_bad_name_is_refused_before_anything_is_loaded(store):
    with pytest.raises(InvalidValue, match="lower-case"):
        import_version(store, "../tabby", b"")
