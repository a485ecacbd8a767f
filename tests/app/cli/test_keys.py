"""Tests of `cattery keys`."""

import json


def test_a_key_is_printed_once_and_works_until_it_is_revoked(cattery, store):
    added = cattery("keys", "add", "ci", "--scope", "train", "--scope", "vote")
    token = added.out.strip()
    assert added.code == 0
    assert store.keys.find(token).scopes == ("vote", "train")
    listed = cattery("keys", "list").out
    assert "ci" in listed
    assert token[-43:] not in listed
    (row,) = json.loads(cattery("keys", "list", "--json").out)
    assert set(row) == {"id", "name", "scopes", "created_at", "revoked_at"}
    assert cattery("keys", "revoke", "ci").code == 0
    assert store.keys.find(token) is None
    assert json.loads(cattery("keys", "list", "--json").out)[0]["revoked_at"]


def test_mistakes_are_one_line(cattery):
    for arguments in (
        ("add", "ci", "--scope", "root"),
        ("add", "../ci", "--scope", "train"),
        ("revoke", "nobody"),
    ):
        ended = cattery("keys", *arguments)
        assert ended.code == 1
        assert ended.err.startswith("Error: ")
        assert ended.err.count("\n") == 1
