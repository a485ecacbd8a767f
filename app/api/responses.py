"""What several routes answer with: PNG files with entity tags, and their OpenAPI entries."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from app.http.conditional import not_modified
from app.problems.openapi import Responses

FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"

LOCATION = {"Location": {"description": "Path of the job.", "schema": {"type": "string"}}}
CONTACT_SHEET: Responses = {
    200: {
        "description": "A contact sheet.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client has it already."},
}


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
