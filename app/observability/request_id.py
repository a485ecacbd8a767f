"""The id of a request, which its response and its lines in the log share."""

import re
from collections.abc import Iterable
from secrets import token_hex

from worker.logs import request_id

HEADER = b"x-request-id"

# A client's id goes into the log: nothing that could pass for another line or field.
_VALID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


def begin_request(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a request's id the current one and return it: the client's if valid, else a new one.

    Args:
        headers: The request's headers; names are in lower case.
    """
    given = [value for name, value in headers if name == HEADER]
    is_valid = len(given) == 1 and _VALID.fullmatch(given[0])
    own = given[0] if is_valid else token_hex(8).encode()
    request_id.set(own.decode())
    return own
