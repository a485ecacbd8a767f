"""Sending pictures: not at all where the client has them, and to nobody who has left."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cats.renderer import Renderer
from app.http.conditional import not_modified
from app.http.disconnect import HungUp, while_connected
from app.observability.metrics import Telemetry

HUNG_UP = 499  # as nginx logs it; nobody reads it but the request counter


async def send(
    request: Request,
    headers: Mapping[str, str],
    render: Callable[[Renderer], Coroutine[Any, Any, bytes]],
) -> Response:
    """Answer with what is rendered, unless the client has it or wants to hear of it only.

    Args:
        request: Whose If-None-Match and method count.
        headers: All but Content-Length; without an ETag it is always rendered.
        render: Makes the body.
    """
    known = not_modified(request, headers)
    if known is not None:
        return known
    if request.method == "HEAD":
        response = Response(headers=headers)
        # RFC 9110, 9.3.2: a length that only rendering could tell may be left out.
        del response.headers["content-length"]
        return response
    try:
        body = await while_connected(request, render(request.app.state.renderer))
    except HungUp:
        telemetry: Telemetry = request.app.state.telemetry
        telemetry.refused.labels("hung_up").inc()
        return Response(status_code=HUNG_UP)
    return Response(body, headers=headers)
