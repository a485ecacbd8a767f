"""Every kind of damage to a model is found, and repaired without losing what is whole."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

from models.inspection.versions import inspect_models
from models.store.records import Card
from models.store.serialization import dumps, loads
from tests.generators import weights_file


def _repaired(store):
    """Repair all that is found, and return it; nothing is found afterwards."""
    found = [(one.path, one.detail, one.repair()) for one in inspect_models(store)]
    assert list(inspect_models(store)) == []
    return found


@pytest.fixture
def ids(store):
    """Return the ids of the version before and the one in service."""
    now = store.aliases.get("tabby")
    return now.previous, now.serving


def _folder(version):
    return f"models/tabby/versions/{version}"


def test_nothing_is_found_in_a_whole_store(store):
    assert list(inspect_models(store)) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"serving": "x"}', b'{"a": []}x'])
def test_damaged_aliases_fall_back_on_a_version_that_was_promoted(store, ids, damage):
    store.versions.update_card("tabby", ids[0], promotion={"decision": "promoted", "reason": ""})
    store.tree.write("models/tabby/aliases.json", damage)
    ((path, _, done),) = _repaired(store)
    assert path == "models/tabby/aliases.json"
    assert done == f"tabby@{ids[0]} is in service."
    assert store.aliases.get("tabby").serving == ids[0]
    assert store.tree.read("models/tabby/aliases-damaged.json") == damage


def test_damaged_aliases_keep_the_version_that_they_name(store, ids):
    fields = json.loads(store.tree.read("models/tabby/aliases.json"))
    store.tree.write("models/tabby/aliases.json", json.dumps({**fields, "history": 5}).encode())
    _repaired(store)
    assert store.aliases.get("tabby").serving == ids[1]


def test_a_damaged_card_is_made_again_from_whole_weights(store, ids):
    store.tree.write(f"{_folder(ids[1])}/card.json", b'{"model": 5}')
    ((path, _, done),) = _repaired(store)
    assert (path, done[:15]) == (f"{_folder(ids[1])}/card.json", "Made a new card")
    assert store.versions.card("tabby", ids[1]).size_px == 32
    assert store.aliases.get("tabby").serving == ids[1]


def test_a_card_that_is_not_of_its_weights_is_made_again(store, ids):
    card = store.versions.card("tabby", ids[1])
    store.tree.write(f"{_folder(ids[1])}/card.json", dumps(replace(card, z_dim=17)))
    assert len(_repaired(store)) == 1
    assert store.versions.card("tabby", ids[1]).z_dim == 16


def _nan(raw):
    tensors = {name: torch.full_like(tensor, torch.nan) for name, tensor in load(raw).items()}
    length = int.from_bytes(raw[:8], "little")
    return save(tensors, json.loads(raw[8 : 8 + length])["__metadata__"])


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-1], lambda _: b"", lambda _: weights_file(seed=9), _nan, lambda _: None],
    ids=["truncated", "empty", "foreign", "NaN", "missing"],
)
def test_damaged_weights_are_moved_aside_and_the_version_before_serves(store, ids, damage):
    path = f"{_folder(ids[1])}/generator.safetensors"
    damaged = damage(store.tree.read(path))
    store.tree.delete(path)
    if damaged is not None:
        store.tree.write(path, damaged)
    moved, pointed = _repaired(store)
    assert moved[0] == path
    assert moved[2].startswith(f"Moved to damaged/{_folder(ids[1])}-")
    assert pointed[2] == f"tabby@{ids[0]} is in service."
    assert store.aliases.get("tabby").serving == ids[0]
    assert [card.version for card in store.versions.list("tabby")] == [ids[0]]


def test_nan_that_was_published_is_found_too(store):
    """Its checksum is right; only reading the weights shows it."""
    raw = _nan(weights_file(seed=3))
    whole = store.versions.list("tabby")[0]
    version = store.versions.publish("tabby", raw, whole, b"png").version
    ((path, detail, _),) = _repaired(store)
    assert path == f"{_folder(version)}/generator.safetensors"
    assert "not finite" in detail


def test_a_contact_sheet_is_rendered_again(store, ids):
    path = f"{_folder(ids[1])}/samples.png"
    whole = store.tree.read(path)
    store.tree.write(path, whole[:100])
    ((found, _, _),) = _repaired(store)
    assert found == path
    assert store.tree.read(path) == whole


def test_stray_files_are_moved_aside(store):
    for path in ("models/notes.txt", "models/README", "models/tabby/versions/x"):
        store.tree.write(path, b"?")
    assert {path for path, *_ in _repaired(store)} == {
        "models/notes.txt",
        "models/README",
        "models/tabby/versions/x",
    }
    assert store.versions.models() == ["tabby"]


def test_a_damaged_version_of_the_release_is_installed_again(store, ids, tmp_path, monkeypatch):
    zoo = tmp_path / "zoo" / "tabby"
    zoo.mkdir(parents=True)
    for name in ("generator.safetensors", "card.json", "samples.png"):
        (zoo / name).write_bytes(store.tree.read(f"{_folder(ids[1])}/{name}"))
    monkeypatch.setattr("models.zoo.install.ZOO", tmp_path / "zoo")
    store.tree.write(f"{_folder(ids[1])}/generator.safetensors", b"half")
    ((_, _, done),) = _repaired(store)
    assert done == "Installed again from this release."
    assert loads(Card, (zoo / "card.json").read_bytes()) == store.versions.card("tabby", ids[1])
