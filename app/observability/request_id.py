"""The id of a request, which its response and its lines in the log share."""

import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from secrets import token_hex

HEADER = b"x-request-id"

# A client's id goes into the log: nothing that could pass for another line or field.
_VALID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")

# The one thing that follows a request through tasks and threads; each has its own value.
_current: ContextVar[str] = ContextVar("request_id", default="-")


def begin_request(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a request's id the current one and return it: the client's if valid, else a new one.

    Args:
        headers: The request's headers; names are in lower case.
    """
    given = [value for name, value in headers if name == HEADER]
    is_valid = len(given) == 1 and _VALID.fullmatch(given[0])
    own = given[0] if is_valid else token_hex(8).encode()
    _current.set(own.decode())
    return own


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every record: the current request's, or "-" outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.request_id = _current.get()
        return True
