"""Tests of app.problems.json."""

import json

import pytest

from app.problems.json import DEEPEST, brief, encode, plain


def test_what_is_not_finite_becomes_null():
    """JSON has no NaN: measurements that are none are told as null."""
    assert plain({"loss": [float("nan"), 1.5]}) == {"loss": [None, 1.5]}


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 10**400, b"\xff", "x" * 999])
def test_whatever_a_client_sends_can_be_told(value):
    told = encode(brief(value))
    assert len(told) < 300
    json.loads(told)


def test_a_large_or_deep_object_is_cut():
    assert len(brief({str(i): i for i in range(10_000)})) < 300
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    told = plain(deep)
    for _ in range(DEEPEST):
        [told] = told
    assert isinstance(told, str)


def test_half_a_character_survives():
    """A lone surrogate stays an escape instead of an error."""
    assert json.loads(encode("\ud800")) == "\ud800"
