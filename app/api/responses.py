"""Files with entity tags: sent once, then 304."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from app.http.conditional import not_modified

FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"


def png(request: Request, content: bytes, freshness: str) -> Response:
    """Return a picture, or 304 if the client has it.

    Args:
        request: Whose If-None-Match counts.
        content: A PNG file.
        freshness: Cache-Control.
    """
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": freshness}
    return not_modified(request, headers) or Response(
        content, headers=headers, media_type="image/png"
    )
