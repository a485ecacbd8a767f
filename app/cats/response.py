"""Sends images, unless the client has them already or has disconnected."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cats.renderer import Renderer
from app.http.conditional import not_modified
from app.http.disconnect import HungUp, while_connected
from app.observability.metrics import Telemetry

HUNG_UP = 499  # as in nginx's log; only the request counter sees it


async def send(
    request: Request,
    headers: Mapping[str, str],
    render: Callable[[Renderer], Coroutine[Any, Any, bytes]],
) -> Response:
    """Render and send a body; 304 if the client has it, headers alone for HEAD.

    Args:
        request: Whose If-None-Match and method count.
        headers: All but Content-Length; without an ETag the body is always rendered.
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
