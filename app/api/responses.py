"""Files with entity tags: sent once, then 304."""

import hashlib
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from app.cats.etags import is_known

FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"


def unchanged(request: Request, etag: str, freshness: str) -> Response | None:
    """Return a 304 answer if the client has the file already."""
    if not is_known(request.headers.get("if-none-match"), etag):
        return None
    headers = {"ETag": etag, "Cache-Control": freshness}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)


def png(request: Request, content: bytes, freshness: str) -> Response:
    """Return a picture, or 304 if the client has it.

    Args:
        request: Whose If-None-Match counts.
        content: A PNG file.
        freshness: Cache-Control.
    """
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": freshness}
    return unchanged(request, etag, freshness) or Response(
        content, headers=headers, media_type="image/png"
    )
