"""Tests of app.observability.request_id; tests.worker.test_logs has those of the lines."""

import pytest

from app.observability.request_id import begin_request
from worker.logs import request_id


@pytest.mark.parametrize("given", [b"", b"a b", b"a\nb", b"x" * 129, "é".encode(), b"a,b"])
def test_an_id_that_could_pass_for_something_else_in_the_log_is_replaced(given):
    assert begin_request([(b"x-request-id", given)]) != given


def test_of_two_ids_none_is_taken():
    assert begin_request([(b"x-request-id", b"a"), (b"x-request-id", b"b")]) not in (b"a", b"b")


def test_the_id_of_a_request_is_the_one_of_its_lines_in_the_log():
    own = begin_request([(b"x-request-id", b"proxy-17")])
    assert own.decode() == request_id.get() == "proxy-17"
