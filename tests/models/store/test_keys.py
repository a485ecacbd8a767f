"""Tests of models.store.keys."""

import json

import pytest

from models.errors import Conflict, InvalidValue, NotFound
from models.store import Store
from models.store.keys import Scope


def test_a_key_is_found_by_itself_alone(store):
    record, token = store.keys.add("ci", [Scope.TRAIN, Scope.VOTE])
    assert record.scopes == ("vote", "train")
    assert store.keys.find(token) == record
    assert Store(store.url).keys.find(token) == record
    other = store.keys.add("other", [Scope.ADMIN])[1]
    head, secret = other.rsplit("_", 1)[0], token[-43:]
    for wrong in ("", token[:-1], f"{token}x", token.upper(), f" {token}", f"{head}_{secret}"):
        assert store.keys.find(wrong) is None


@pytest.mark.parametrize(
    "key", ["cattery_../../jobs/x_" + "a" * 43, "cattery_" + "0" * 12, "é", "\0"]
)
def test_nonsense_is_no_key(store, key):
    store.keys.add("ci", [Scope.TRAIN])
    assert store.keys.find(key) is None


def test_the_store_has_no_key_in_the_clear(store):
    """The file has the salted hash of the secret half, and nothing that would open the service."""
    record, token = store.keys.add("ci", [Scope.TRAIN])
    text = store.tree.read(f"keys/{record.id}.json").decode()
    assert token[-43:] not in text
    kept = json.loads(text)
    assert store.keys.find(f"cattery_{record.id}_{kept['hash'][:43]}") is None
    assert (len(kept["salt"]), len(kept["hash"])) == (32, 64)


def test_a_revoked_key_stays_in_the_list_and_its_name_is_free(store):
    _, token = store.keys.add("ci", [Scope.TRAIN])
    with pytest.raises(Conflict):
        store.keys.add("ci", [Scope.TRAIN])
    assert store.keys.revoke("ci").revoked_at
    assert store.keys.find(token) is None
    with pytest.raises(NotFound):
        store.keys.revoke("ci")
    store.keys.add("ci", [Scope.ADMIN])
    assert [key.revoked_at is None for key in store.keys.list()] == [False, True]
    assert store.keys.exist()


@pytest.mark.parametrize(("name", "scopes"), [("ci", []), ("ci", ["root"]), ("../x", ["train"])])
def test_invalid_names_and_scopes_are_refused(store, name, scopes):
    with pytest.raises(InvalidValue):
        store.keys.add(name, scopes)
    assert not store.keys.exist()


def test_a_damaged_key_opens_nothing(store):
    """Other keys work on; the file is reported, and the service still requires keys."""
    record, token = store.keys.add("ci", [Scope.TRAIN])
    _, other = store.keys.add("other", [Scope.TRAIN])
    store.tree.write(f"keys/{record.id}.json", b"{}")
    assert store.keys.find(other)
    assert [key.name for key in store.keys.list()] == ["other"]
    assert store.keys.find(token) is None
    assert store.keys.exist()
