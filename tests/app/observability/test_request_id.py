"""Tests of app.observability.request_id."""

import asyncio
import logging
from contextvars import Context

import pytest

from app.observability.request_id import RequestIdFilter, begin_request


@pytest.mark.parametrize("given", [b"", b"a b", b"a\nb", b"x" * 129, "é".encode(), b"a,b"])
def test_an_id_that_could_pass_for_something_else_in_the_log_is_replaced(given):
    assert begin_request([(b"x-request-id", given)]) != given


def test_of_two_ids_none_is_taken():
    assert begin_request([(b"x-request-id", b"a"), (b"x-request-id", b"b")]) not in (b"a", b"b")


def told() -> str:
    record = logging.LogRecord("name", logging.INFO, "path", 1, "text", None, None)
    assert RequestIdFilter().filter(record)
    return record.__dict__["request_id"]


async def test_lines_of_the_log_have_the_id_of_their_request():
    """Of requests at the same time each has its own, in threads as well."""

    async def request(name: str) -> tuple[str, str]:
        begin_request([(b"x-request-id", name.encode())])
        await asyncio.sleep(0)
        return told(), await asyncio.to_thread(told)

    answers = await asyncio.gather(*[asyncio.create_task(request(name)) for name in "abc"])
    assert answers == [("a", "a"), ("b", "b"), ("c", "c")]


def test_outside_of_requests_there_is_none():
    assert Context().run(told) == "-"
