"""Responses of several routes: PNG files with entity tags, and their OpenAPI entries."""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.http.conditional import not_modified
from app.problems.openapi import Responses

IMMUTABLE = "public, max-age=31536000, immutable"
EVENT_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
REVALIDATE = "no-cache"  # a sheet is replaced while its job runs

LOCATION = {"Location": {"description": "Path of the job.", "schema": {"type": "string"}}}
ETAG = {"ETag": {"description": "Identifies the content.", "schema": {"type": "string"}}}
CONTACT_SHEET: Responses = {
    200: {
        "description": "A contact sheet.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "Not modified: the client has it."},
}


def png(request: Request, file: bytes, freshness: str) -> Response:
    """Return a PNG file, or 304 if the client has it; as `content`."""
    return content(request, file, "image/png", freshness)


def content(request: Request, file: bytes, media_type: str, freshness: str) -> Response:
    """Return a file, or 304 if the client has it.

    Args:
        request: Provides If-None-Match.
        file: The file.
        media_type: Content-Type.
        freshness: Cache-Control.
    """
    etag = f'"{hashlib.sha256(file).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": freshness}
    return not_modified(request, headers) or Response(file, headers=headers, media_type=media_type)


def head(headers: dict[str, str], media_type: str) -> Response:
    """Return the response to a HEAD request for what would have to be made first.

    Its length is not known, so it names none.
    """
    response = Response(headers=headers, media_type=media_type)
    del response.headers["content-length"]
    return response


def event_content(number: str, kind: str, data: str) -> dict[str, Any]:
    """Return what OpenAPI says of a stream of server-sent events, with an example of one."""
    example = {"id": number, "event": kind, "data": data}
    # OpenAPI 3.1 has no word for a stream: this is one of its events.
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in example}}
    return {"text/event-stream": {"schema": schema, "example": example}}
