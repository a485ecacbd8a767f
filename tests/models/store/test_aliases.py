"""Aliases: one move at a time, nothing lost, one call back."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from models.errors import BadEntry, Conflict, Gone, NotFound
from models.store import Store, aliases
from models.store.records import Aliases


@pytest.fixture
def versions(store, card):
    """Publish eight versions of `tabby` and return their ids."""
    return [store.versions.publish("tabby", b"%d" % n, card(), b"p").version for n in range(8)]


def test_promoting_moves_serving_and_keeps_the_one_before(store, versions):
    store.aliases.promote("tabby", versions[0], reason="first")
    now = store.aliases.promote("tabby", versions[1])
    assert (now.serving, now.previous) == (versions[1], versions[0])
    assert [(m.action, m.version, m.reason) for m in now.history] == [
        ("promote", versions[0], "first"),
        ("promote", versions[1], ""),
    ]
    assert store.aliases.get("tabby") == now
    assert store.aliases.promote("tabby", versions[1]) == now, "it serves already"


def test_rollback_swaps_and_swaps_back(store, versions):
    store.aliases.promote("tabby", versions[0])
    before = store.aliases.promote("tabby", versions[1])
    back = store.aliases.rollback("tabby")
    assert (back.serving, back.previous) == (versions[0], versions[1])
    again = store.aliases.rollback("tabby")
    assert (again.serving, again.previous) == (before.serving, before.previous)
    assert [move.action for move in again.history[-2:]] == ["rollback", "rollback"]


def test_rollback_without_a_previous_version_is_a_conflict(store, versions):
    with pytest.raises(Conflict, match="no previous"):
        store.aliases.rollback("tabby")
    store.aliases.promote("tabby", versions[0])
    with pytest.raises(Conflict, match="no previous"):
        store.aliases.rollback("tabby")


def test_unknown_things_cannot_be_moved(store, versions):
    for model, version, kind in [
        ("tom", versions[0], "model"),
        ("../x", versions[0], "model"),
        ("tabby", "0123456789ab", "version"),
        ("tabby", versions[0][:6], "version"),
    ]:
        with pytest.raises(NotFound) as caught:
            store.aliases.promote(model, version)
        assert caught.value.kind == kind
    for model in ("tom", "../x"):
        with pytest.raises(NotFound, match="model"):
            store.aliases.rollback(model)
    assert store.versions.models() == ["tabby"]


def test_moves_of_eight_threads_are_serialized(store, versions):
    """No move is lost: the history replays to exactly the aliases in the file.

    On a local store each thread has a store of its own, as processes have.
    """
    stores = [Store(store.url) if store.tree.is_local else store for _ in range(8)]

    def move(n):
        choose = random.Random(n)  # noqa: S311 - not a secret
        for _ in range(15):
            stores[n].aliases.promote("tabby", choose.choice(versions))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(move, range(8)))
    now = store.aliases.get("tabby")
    moves = [m.version for m in now.history]
    assert (now.serving, now.previous) == (moves[-1], moves[-2])
    assert all(a != b for a, b in pairwise(moves))
    assert len(moves) > 8


def test_an_unknown_model_leaves_no_folder(store):
    with pytest.raises(NotFound):
        store.aliases.rollback("tom")
    assert store.tree.names("models") == []


def test_the_latest_moves_are_kept_and_all_are_counted(store, versions, monkeypatch):
    monkeypatch.setattr(aliases, "MOST_MOVES", 5)
    for n in range(8):
        now = store.aliases.promote("tabby", versions[n % 2])
    assert now.moves == 8
    assert [move.version for move in now.history] == [versions[n % 2] for n in range(3, 8)]


def test_promoting_replaces_damaged_aliases_and_keeps_them_aside(store, versions):
    store.aliases.promote("tabby", versions[0])
    store.tree.write("models/tabby/aliases.json", b"garbage")
    with pytest.raises(BadEntry, match=r"models/tabby/aliases\.json.*doctor --repair"):
        store.aliases.rollback("tabby")
    assert store.aliases.listed("tabby") == Aliases()
    assert len(store.tree.problems.current()) == 1
    assert store.aliases.promote("tabby", versions[1]).serving == versions[1]
    assert store.tree.read("models/tabby/aliases-damaged.json") == b"garbage"
    assert store.tree.problems.current() == []


def test_a_deletion_and_a_promotion_at_once_leave_no_alias_without_a_version(
    store, versions, monkeypatch
):
    """Whichever comes second sees the other, at any of their steps."""
    check = store.aliases._check

    def delete_after_the_check(model, version):
        check(model, version)
        monkeypatch.setattr(store.aliases, "_check", check)
        store.versions.delete(model, version)

    monkeypatch.setattr(store.aliases, "_check", delete_after_the_check)
    with pytest.raises(Gone):
        store.aliases.promote("tabby", versions[0])
    assert store.aliases.get("tabby").serving is None
    delete, card = store.tree.delete, store.versions.card("tabby", versions[1])

    def promote_before_the_deletion(path):
        monkeypatch.setattr(store.tree, "delete", delete)
        store.aliases.promote("tabby", versions[1])
        delete(path)

    monkeypatch.setattr(store.tree, "delete", promote_before_the_deletion)
    with pytest.raises(Conflict, match="serving"):
        store.versions.delete("tabby", versions[1])
    assert store.versions.card("tabby", versions[1]) == card
    assert store.aliases.get("tabby").serving == versions[1]


def test_another_process_s_move_is_seen_at_once(local_store, card):
    """What was read before is not shown again after the file changed."""
    ids = [local_store.versions.publish("tabby", b"%d" % n, card(), b"p").version for n in (0, 1)]
    other = Store(local_store.url)
    for n in range(20):
        local_store.aliases.promote("tabby", ids[n % 2])
        assert other.aliases.get("tabby").serving == ids[n % 2]
