"""Conditional requests: what the client has already is not sent again (RFC 9110, section 13)."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

_OF_CONTENT = frozenset({"Content-Type", "Content-Disposition"})


def has_current(request: Request, etag: str) -> bool:
    """Return whether the client has it already, by its If-None-Match headers.

    Compared weakly, as RFC 9110, section 13.1.2, asks; our tags hold no comma.
    """
    lines = request.headers.getlist("if-none-match")
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(lines).split(",")]
    return etag in tags or tags == ["*"]


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """Return a 304 answer if the client has what the headers' ETag names.

    Args:
        request: Whose If-None-Match counts.
        headers: Those of the whole answer; without an ETag nobody has it.
    """
    etag = headers.get("ETag")
    if etag is None or not has_current(request, etag):
        return None
    kept = {name: value for name, value in headers.items() if name not in _OF_CONTENT}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
