"""Versions: complete, immutable, checked, and deleted for good only when not in service."""

import hashlib

import pytest

from models.errors import (
    BadEntry,
    CheckpointError,
    Conflict,
    Gone,
    InvalidValue,
    NotFound,
    StoreError,
)
from models.store import Store


def test_a_published_version_reads_back_whole_and_never_changes(store, card, tmp_path):
    published = store.versions.publish("tabby", b"weights", card(), b"png")
    again = store.versions.publish("tabby", b"weights", card(kimg=9.0), b"other")
    assert again == published
    digest = hashlib.sha256(b"weights").hexdigest()
    assert (published.version, published.sha256) == (digest[:12], digest)
    assert published.model == "tabby"
    assert published == store.versions.card("tabby", digest[:12])
    assert store.versions.samples("tabby", digest[:12]) == b"png"
    assert store.versions.weights("tabby", digest[:12]) == b"weights"
    path = store.versions.weights_path("tabby", digest[:12], tmp_path / "cache")
    assert path.read_bytes() == b"weights"
    assert store.versions.models() == ["tabby"]


def test_a_version_exists_only_with_its_card(store, card):
    """What a crash left before the card was written is no version."""
    whole = store.versions.publish("tabby", b"weights", card(), b"png")
    store.tree.write("models/tabby/versions/0123456789ab/generator.safetensors", b"half")
    store.tree.write("models/tom/versions/0123456789ab/generator.safetensors", b"half")
    assert store.versions.list("tabby") == [whole]
    assert store.versions.models() == ["tabby"]
    with pytest.raises(NotFound):
        store.versions.card("tabby", "0123456789ab")


def test_versions_are_listed_newest_first(store, card):
    for day in (2, 3, 1):
        made = card(created_at=f"2026-01-0{day}T00:00:00Z")
        store.versions.publish("tabby", b"%d" % day, made, b"png")
    days = [c.created_at[9] for c in store.versions.list("tabby")]
    assert days == ["3", "2", "1"]


def test_all_versions_of_a_model_have_one_size(store, card):
    store.versions.publish("tabby", b"a", card(size_px=64), b"png")
    with pytest.raises(InvalidValue, match="64") as caught:
        store.versions.publish("tabby", b"b", card(size_px=128), b"png")
    assert (caught.value.field, caught.value.value) == ("size_px", 128)
    assert len(store.versions.list("tabby")) == 1


@pytest.mark.parametrize("name", ["", "Tabby", "a/b", "..", "a..b", "a.", "-a", "x" * 64, "a@b"])
def test_a_bad_model_name_is_refused_and_never_found(store, card, name):
    with pytest.raises(InvalidValue, match="lower-case"):
        store.versions.publish(name, b"a", card(), b"png")
    with pytest.raises(NotFound):
        store.versions.card(name, "0123456789ab")
    assert store.versions.list(name) == []
    assert store.aliases.get(name).serving is None


def test_references_resolve_to_one_version(store, card):
    old = store.versions.publish("tabby", b"old", card(), b"png").version
    new = store.versions.publish("tabby", b"new", card(), b"png").version
    store.aliases.promote("tabby", old)
    store.aliases.promote("tabby", new)
    resolve = store.versions.resolve
    assert resolve("tabby") == resolve("tabby@serving") == ("tabby", new)
    assert resolve("tabby@previous") == resolve(f"tabby@{old[:4]}") == ("tabby", old)
    assert resolve(f"tabby@{new}") == ("tabby", new)


@pytest.mark.parametrize(
    ("kind", "ref"),
    [("model", ref) for ref in ("tom", "tom@0123", "../etc", "@", "")]
    + [("version", f"tabby@{ref}") for ref in ("serving", "fff", "zzzz", "0123456789ab", "", "*")],
)
def test_what_is_unknown_is_named_with_the_known_ones(store, card, kind, ref):
    version = store.versions.publish("tabby", b"a", card(), b"png").version
    known = {"model": "tabby", "version": version}
    with pytest.raises(NotFound) as caught:
        store.versions.resolve(ref)
    assert (caught.value.kind, caught.value.known) == (kind, (known[kind],))


def test_damaged_weights_are_refused(store, card, tmp_path):
    version = store.versions.publish("tabby", b"weights", card(), b"png").version
    path = f"models/tabby/versions/{version}/generator.safetensors"
    for damage in (lambda: store.tree.write(path, b"weighty"), lambda: store.tree.delete(path)):
        damage()
        with pytest.raises(CheckpointError, match=version):
            store.versions.weights("tabby", version)
        with pytest.raises(CheckpointError, match=version):
            store.versions.weights_path("tabby", version, tmp_path / "cache")


def test_a_damaged_copy_in_the_cache_heals(card, tmp_path):
    """A copy from an object store that went bad is refused once, then fetched anew."""
    store = Store.open("memory://heals")
    version = store.versions.publish("tabby", b"weights", card(), b"png").version
    store.versions.weights_path("tabby", version, tmp_path).write_bytes(b"bad")
    with pytest.raises(CheckpointError):
        store.versions.weights_path("tabby", version, tmp_path)
    assert store.versions.weights_path("tabby", version, tmp_path).read_bytes() == b"weights"


def test_a_damaged_card_does_not_hide_the_others(store, card, caplog):
    """The list leaves it out and says so; asking for it tells the file."""
    whole = store.versions.publish("tabby", b"a", card(), b"png")
    broken = store.versions.publish("tabby", b"b", card(), b"png")
    path = f"models/tabby/versions/{broken.version}/card.json"
    store.tree.write(path, b"{")
    assert store.versions.list("tabby") == [whole]
    assert path in caplog.text
    with pytest.raises(StoreError, match=path):
        store.versions.card("tabby", broken.version)


def test_only_findings_can_be_added_to_a_card(store, card):
    version = store.versions.publish("tabby", b"a", card(), b"png").version
    store.versions.update_card("tabby", version, metrics=({"name": "fid"},), note="nice")
    now = store.versions.card("tabby", version)
    assert (now.metrics, now.note, now.kimg) == (({"name": "fid"},), "nice", 1.5)
    with pytest.raises(InvalidValue, match="kimg"):
        store.versions.update_card("tabby", version, kimg=3.0)


def test_what_serves_cannot_be_deleted_and_what_was_deleted_is_gone(store, card):
    ids = [store.versions.publish("tabby", b"%d" % n, card(), b"png").version for n in range(3)]
    for version in ids[:2]:
        store.aliases.promote("tabby", version)
    for version in ids[:2]:
        with pytest.raises(Conflict, match=r"serving|previous"):
            store.versions.delete("tabby", version)
    store.versions.delete("tabby", ids[2])
    assert store.versions.was_deleted("tabby", ids[2])
    assert ids[2] not in [c.version for c in store.versions.list("tabby")]
    for ask in (store.versions.card, store.versions.delete, store.aliases.promote):
        with pytest.raises(Gone):
            ask("tabby", ids[2])
    with pytest.raises(Gone):
        store.versions.resolve(f"tabby@{ids[2]}")
    store.versions.publish("tabby", b"2", card(), b"png")
    assert store.versions.weights("tabby", ids[2]) == b"2"
    assert not store.versions.was_deleted("tabby", ids[2])


@pytest.mark.parametrize("name", ["card.json", "generator.safetensors"])
def test_publishing_again_mends_what_is_damaged(store, card, name):
    published = store.versions.publish("tabby", b"weights", card(), b"png")
    store.versions.update_card("tabby", published.version, note="mine")
    path = f"models/tabby/versions/{published.version}/{name}"
    store.tree.write(path, b"garbage")
    again = store.versions.publish("tabby", b"weights", card(), b"png")
    assert store.versions.weights("tabby", published.version) == b"weights"
    assert store.versions.card("tabby", published.version) == again
    assert again.note == ("" if name == "card.json" else "mine")


def test_a_card_of_another_version_is_not_shown(store, card):
    """A copied file would name weights that are not beside it."""
    one, two = (store.versions.publish("tabby", raw, card(), b"p") for raw in (b"1", b"2"))
    folder = "models/tabby/versions"
    store.tree.write(
        f"{folder}/{two.version}/card.json", store.tree.read(f"{folder}/{one.version}/card.json")
    )
    assert store.versions.list("tabby") == [one]
    with pytest.raises(BadEntry, match="of another place"):
        store.versions.card("tabby", two.version)
