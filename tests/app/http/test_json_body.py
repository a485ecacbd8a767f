"""Tests of app.http.json_body; tests/app/api/test_routing.py has what a client sees."""

import pytest

from app.http.json_body import check_json
from app.problems.errors import MalformedBody
from models.errors import InvalidValue


@pytest.mark.parametrize("body", [b"", b"{}", b" [1]\n", b'{"a": {"a": 1}}', b'{"a": NaN}'])
def test_json_passes(body):
    """NaN as well: the field's own check names the field."""
    check_json(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a" 1}', "at character 5"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"[" * 50_000, "nested too deeply"),
        (b"9" * 5000, "too many digits"),
    ],
)
def test_what_is_wrong_is_told(body, reason):
    with pytest.raises(MalformedBody, match=reason):
        check_json(body)


def test_a_name_given_twice_is_told_with_both_values():
    with pytest.raises(InvalidValue, match=r"b occurs 3 times\. Use it once\.") as caught:
        check_json(b'{"a": [{"b": 1, "c": 0, "b": 2, "b": 3}]}')
    assert caught.value.value == [1, 2, 3]
