"""Responses with images, rendered unless the client has them or disconnects."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cats.renderer import Renderer
from app.http.conditional import not_modified
from app.http.disconnect import HungUp, while_connected
from app.observability.metrics import Telemetry

CLIENT_CLOSED_REQUEST = 499  # as in nginx; only the request counter sees it


async def send(
    request: Request,
    headers: Mapping[str, str],
    render: Callable[[Renderer], Coroutine[Any, Any, bytes]],
    at_once: Callable[[], bytes | None] = lambda: None,
) -> Response:
    """Return a response with a rendered body, 304 if the client has it, or headers for HEAD.

    Args:
        request: Provides If-None-Match and the method.
        headers: All but Content-Length; without an ETag the body is always rendered.
        render: Renders the body.
        at_once: Returns the body if it can be had without waiting.
    """
    known = not_modified(request, headers)
    if known is not None:
        return known
    if request.method == "HEAD":
        response = Response(headers=headers)
        # RFC 9110, 9.3.2, allows to omit it: only rendering would show the length.
        del response.headers["content-length"]
        return response
    if (ready := at_once()) is not None:  # watching the client would cost more
        return Response(ready, headers=headers)
    try:
        body = await while_connected(request, render(request.app.state.renderer))
    except HungUp:
        telemetry: Telemetry = request.app.state.telemetry
        telemetry.refused.labels("hung_up").inc()
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return Response(body, headers=headers)
