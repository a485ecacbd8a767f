"""Packing the zoo from the command line."""

import json

import numpy as np
import pytest
from PIL import Image

from models.store import Store
from models.zoo.install import register_zoo
from tests.generators import weights_file
from tests.records import add_dataset, card


@pytest.fixture
def trained(store, pictures, tmp_path, monkeypatch):
    """A small random generator whose card names a dataset of real cats; few fakes do here."""
    monkeypatch.setenv("CATTERY_FAKES", "16")
    files = sorted((pictures / "cats").glob("*.jpg"))[:24]
    cats = np.stack([np.asarray(Image.open(f).convert("RGB").resize((32, 32))) for f in files])
    data = {"name": "cats", "fingerprint": "ab" * 32}
    add_dataset(store, tmp_path, {"32": cats[:16], "32-heldout": cats[16:]}, **data)
    weights = weights_file(z_dim=8, width=8)
    made = card(size_px=32, settings={"width": 8}, dataset={**data, "license": "CC0"})
    return store.versions.publish("tabby", weights, made, b"png")


def test_a_version_becomes_an_entry_that_a_fresh_store_serves(
    zoo, store, trained, tmp_path, monkeypatch
):
    """Measured on its own data, its picks on its card, and taken in as any zoo is."""
    # A toy's cats have no faces yet.
    monkeypatch.setattr("models.images.cat_faces.find_spec", lambda _name: None)
    folder = tmp_path / "zoo"
    ref = f"tabby@{trained.version}"
    done = zoo("pack", ref, "--as", "dcgan", "--picks", "3,1", "--to", str(folder))
    assert done.code == 0, done.err
    packed = json.loads((folder / "dcgan" / "card.json").read_text())
    assert (packed["parent"], packed["picks"]) == (trained.version, [3, 1])
    assert [row["protocol"]["fakes"] for row in packed["metrics"]] == [16] * len(packed["metrics"])
    assert {"kid", "precision"} <= {row["name"] for row in packed["metrics"]}
    assert f"dcgan@{packed['version']}, packed from {trained.version}: 0.0 MB, KID" in done.err
    new_store = Store.open(str(tmp_path / "elsewhere"))
    assert register_zoo(new_store, folder) == []
    assert new_store.versions.resolve("dcgan") == ("dcgan", packed["version"])
    assert new_store.versions.card("dcgan", packed["version"]).picks == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody@123456789abc"], "nobody"),
        (["tabby", "--picks", "one"], "'one'"),
        (["tabby", "tabby", "--as", "dcgan"], "one version"),
        (["--edition", "moon"], "moon"),
        (["--edition", "toy"], "python -m tools.zoo train"),
    ],
)
def test_what_cannot_be_packed_is_told(zoo, trained, tmp_path, arguments, told):
    done = zoo("pack", *arguments, "--to", str(tmp_path / "zoo"))
    assert done.code == 1
    assert told in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "zoo").exists()
