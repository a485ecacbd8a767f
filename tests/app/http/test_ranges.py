"""Tests of app.http.ranges; tests/app/api/test_models.py downloads a file in parts."""

import pytest
from starlette.requests import Request

from app.http.ranges import MAX_RANGES, normalize_range
from app.problems.errors import RangeNotSatisfiable, problem_response

TAG = '"abc"'
SIZE = 10


def normalized(*headers: tuple[str, str], method: str = "GET") -> str | None:
    """Return the Range header that is left of a request's."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    request = Request({"type": "http", "method": method, "headers": raw})
    normalize_range(request, SIZE, TAG)
    return dict(request.scope["headers"]).get(b"range", b"").decode() or None


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("bytes=0-4", "bytes=0-4"),
        ("bytes=5-", "bytes=5-9"),
        ("bytes=-3", "bytes=7-9"),
        ("bytes=-99", "bytes=0-9"),
        ("bytes=8-99", "bytes=8-9"),
        ("Bytes = 0-0, 99-, 2-3", "bytes=0-0,2-3"),
        ("items=0-5", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=4-2", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=--3", None),
        ("bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)), None),
    ],
)
def test_only_valid_ranges_are_left(asked, left):
    """Other units must, and invalid ranges may be ignored (RFC 9110, 14.2): the whole file."""
    assert normalized(("range", asked)) == left


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99999999999-", "bytes=-0", "bytes=10-,11-"])
def test_what_lies_beyond_the_end_is_told_with_the_size(asked):
    with pytest.raises(RangeNotSatisfiable, match="10 bytes") as caught:
        normalized(("range", asked))
    response = problem_response(caught.value)
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize(
    ("condition", "left"), [(TAG, "bytes=1-2"), ('"old"', None), (f"W/{TAG}", None)]
)
def test_a_range_of_another_file_is_the_whole_one(condition, left):
    assert normalized(("range", "bytes=1-2"), ("if-range", condition)) == left


def test_no_range_where_none_is_defined():
    """For HEAD, and for two headers of which a proxy might have used the other."""
    assert normalized(("range", "bytes=99-"), method="HEAD") is None
    assert normalized(("range", "bytes=0-1"), ("range", "bytes=0-2")) is None
