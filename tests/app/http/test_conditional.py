"""Tests of app.http.conditional."""

import pytest
from starlette.requests import Request

from app.http.conditional import has_current, not_modified


def request_of(*if_none_match: str) -> Request:
    lines = [(b"if-none-match", value.encode()) for value in if_none_match]
    return Request({"type": "http", "method": "GET", "headers": lines})


@pytest.mark.parametrize(
    ("lines", "known"),
    [([], False), (['"b"'], False)]
    + [(lines, True) for lines in (['"a"'], ['W/"a"'], ['"b", "a"'], ['"b"', '"a"'], ["*"])],
)
def test_if_none_match_is_a_list_compared_weakly(lines, known):
    """Any member of any line may match, a weak one as well, and a star always does."""
    assert known == has_current(request_of(*lines), '"a"')


def test_a_304_says_nothing_of_content_that_is_not_there():
    """It keeps the headers that a cache renews, and drops those of the body."""
    headers = {"ETag": '"a"', "Cache-Control": "no-cache", "Content-Type": "image/png"}
    answer = not_modified(request_of('"a"'), headers)
    assert answer is not None
    assert answer.status_code == 304
    assert answer.headers["cache-control"] == "no-cache"
    assert "content-type" not in answer.headers


def test_what_has_no_tag_is_known_to_nobody():
    """A star does not match an answer that must not be kept."""
    assert not_modified(request_of("*"), {"Content-Type": "image/png"}) is None
