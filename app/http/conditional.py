"""Conditional requests: what the client has is not sent again (RFC 9110, section 13)."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

_OF_CONTENT = frozenset({"Content-Type", "Content-Disposition"})


def has_current(request: Request, etag: str) -> bool:
    """Return whether the client has the content of a tag, by its If-None-Match headers."""
    # Weak comparison, as RFC 9110, section 13.1.2, requires; our tags contain no comma.
    lines = request.headers.getlist("if-none-match")
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(lines).split(",")]
    return etag in tags or tags == ["*"]


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """Return a 304 response if the client has the content, else None.

    Args:
        request: Provides If-None-Match.
        headers: Headers of the whole response; without an ETag there is no 304.
    """
    etag = headers.get("ETag")
    if etag is None or not has_current(request, etag):
        return None
    kept = {name: value for name, value in headers.items() if name not in _OF_CONTENT}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
