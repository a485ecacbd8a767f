"""The zoo: cats at once, and never against the user's choice."""

import hashlib
from dataclasses import replace

import pytest

from models.inference.checkpoints import load_generator
from models.store.serialization import dumps
from models.zoo.install import register_zoo


@pytest.fixture
def entry(tmp_path, card):
    """Return a function that puts a version into the zoo and returns its id."""

    def put(weights, model="dcgan", **changes):
        digest = hashlib.sha256(weights).hexdigest()
        folder = tmp_path / "zoo" / model
        folder.mkdir(parents=True, exist_ok=True)
        made = replace(card(**changes), model=model, version=digest[:12], sha256=digest)
        (folder / "generator.safetensors").write_bytes(weights)
        (folder / "card.json").write_bytes(dumps(made))
        (folder / "samples.png").write_bytes(b"png")
        listed(tmp_path / "zoo", model)
        return digest[:12]

    return put


def listed(zoo, *models: str) -> None:
    """Add models to the zoo's list."""
    path = zoo / "models.txt"
    before = path.read_text().split() if path.exists() else []
    path.write_text("\n".join(dict.fromkeys([*before, *models])))


@pytest.fixture
def register(store, tmp_path):
    """Return a function that registers the zoo as a process does at its start."""
    return lambda check=lambda _raw: None: register_zoo(store, tmp_path / "zoo", check)


def test_a_fresh_store_serves_the_zoo(store, entry, register):
    version = entry(b"one")
    looked: list[bytes] = []
    assert register(looked.append) == []
    assert store.versions.resolve("dcgan") == ("dcgan", version)
    before = store.aliases.get("dcgan")
    assert register(looked.append) == []
    assert looked == [b"one"], "the second start loads nothing"
    assert store.aliases.get("dcgan") == before
    assert [move.action for move in before.history] == ["zoo"]


def test_a_newer_zoo_takes_over_from_an_older_one(store, entry, register):
    """Where only releases chose, the newest release's version serves, and no older one."""
    entry(b"one", created_at="2026-01-01T00:00:00Z")
    register()
    newer = entry(b"two", created_at="2026-02-01T00:00:00Z")
    register()
    assert store.aliases.get("dcgan").serving == newer
    entry(b"one", created_at="2026-01-01T00:00:00Z")
    register()
    assert store.aliases.get("dcgan").serving == newer


def test_an_upgrade_never_overrides_a_user_s_promotion(store, entry, register, card):
    """Once the user has chosen, also back to the zoo's, nothing moves by itself."""
    zoo = entry(b"one", created_at="2026-01-01T00:00:00Z")
    register()
    mine = store.versions.publish("dcgan", b"mine", card(), b"png").version
    store.aliases.promote("dcgan", mine)
    newer = entry(b"two", created_at="2026-02-01T00:00:00Z")
    register()
    assert store.aliases.get("dcgan").serving == mine
    assert store.versions.card("dcgan", newer).version == newer
    store.aliases.rollback("dcgan")
    entry(b"three", created_at="2026-03-01T00:00:00Z")
    register()
    assert store.aliases.get("dcgan").serving == zoo


def test_damaged_entries_are_skipped_and_told(store, entry, register, tmp_path):
    """Each gives one sentence; the good ones are registered all the same."""
    zoo = tmp_path / "zoo"
    for name in ("cut", "flipped", "no-card", "bad-card", "no-sheet", "Bad..Name", "half-card"):
        entry(b"weights of " + name.encode(), name)
    (zoo / "cut" / "generator.safetensors").write_bytes(b"weights")
    (zoo / "flipped" / "generator.safetensors").write_bytes(b"Weights of flipped")
    (zoo / "no-card" / "card.json").unlink()
    (zoo / "bad-card" / "card.json").write_bytes(b"\xff{")
    (zoo / "half-card" / "card.json").write_bytes(b'{"model": "half-card"}')
    (zoo / "no-sheet" / "samples.png").unlink()
    (zoo / "empty").mkdir()
    listed(zoo, "empty", "nowhere")
    (zoo / "README.md").write_text("not an entry")
    good = entry(b"good", "tabby")
    problems = register()
    names = ("cut", "flipped", "no-card", "bad-card", "half-card", "no-sheet", "empty", "nowhere")
    assert len(problems) == len(names) + 1
    for name in names:
        assert any(f"'{name}'" in problem for problem in problems)
    assert not any("\n" in problem for problem in problems)
    assert store.versions.models() == ["tabby"]
    assert store.aliases.get("tabby").serving == good


def test_an_entry_of_another_size_than_the_user_s_model_is_told(store, entry, register, card):
    mine = store.versions.publish("dcgan", b"mine", card(size_px=128), b"png").version
    store.aliases.promote("dcgan", mine)
    entry(b"one", size_px=64)
    assert len(register()) == 1
    assert store.aliases.get("dcgan").serving == mine


def test_weights_that_this_release_cannot_load_are_skipped_and_told(store, entry, register):
    """The last zoo goes on serving; the entry is not in the store, so a later release may try."""
    old = entry(b"old", created_at="2026-01-01T00:00:00Z")
    register()
    entry(b"of the future", created_at="2026-02-01T00:00:00Z")
    (problem,) = register(load_generator)
    assert "'dcgan'" in problem
    assert "no safetensors file" in problem
    assert store.aliases.get("dcgan").serving == old
    assert len(store.versions.list("dcgan")) == 1


def test_a_zoo_that_is_not_there_is_told(store, tmp_path):
    """Without its list nobody can say what is missing; the service starts all the same."""
    (problem,) = register_zoo(store, tmp_path / "none")
    assert "its list of models cannot be read" in problem
    assert store.versions.models() == []


def test_a_later_release_may_know_more_of_the_same_weights(store, entry, register):
    """New picks and results reach a store that has the version; what it found itself stays."""
    version = entry(b"one", metrics=({"name": "kid", "value": 0.3},))
    register()
    own = {"name": "fd", "value": 9.0}
    kept = store.versions.card("dcgan", version).metrics
    store.versions.update_card("dcgan", version, metrics=(*kept, own))
    entry(b"one", metrics=({"name": "kid", "value": 0.3}, {"name": "x", "value": 1}), picks=(7, 3))
    assert register() == []
    card = store.versions.card("dcgan", version)
    assert card.picks == (7, 3)
    assert [row["name"] for row in card.metrics] == ["kid", "fd", "x"]


def test_a_version_that_the_user_deleted_stays_deleted(store, entry, register, card):
    """A start after its deletion does not even load it."""
    version = entry(b"one")
    register()
    for name in (b"a", b"b"):
        store.aliases.promote("dcgan", store.versions.publish("dcgan", name, card(), b"p").version)
    store.versions.delete("dcgan", version)
    looked: list[bytes] = []
    assert register(looked.append) == []
    assert looked == []
    assert store.versions.was_deleted("dcgan", version)
