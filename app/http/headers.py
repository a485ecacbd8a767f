"""Headers that every response has: defaults for caches and browsers, and the request's id.

A response with a header of its own keeps it: `DEFAULTS` is what all others get.
"""

from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.request_id import begin_request

RawHeaders = list[tuple[bytes, bytes]]

DEFAULTS: Mapping[str, str] = {
    # Without it, a cache may keep a response for as long as it likes (RFC 9111, section 4.2.2).
    "Cache-Control": "no-store",
    # For what a browser shows as a page although it is none; pages have a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_RAW = [(name.lower().encode(), value.encode()) for name, value in DEFAULTS.items()]


def with_defaults(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Return a response's headers with those defaults that it lacks; names are in lower case."""
    own = list(headers)
    names = {name for name, _ in own}
    own += [header for header in _RAW if header[0] not in names]
    return own


class ResponseHeaders:
    """ASGI middleware that completes the headers of every response.

    It is outside of everything else, so that errors which nobody expected have them as well.

    Args:
        app: The wrapped app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = (b"x-request-id", begin_request(scope["headers"]))

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_defaults([*message.get("headers", ()), own_id])
            await send(message)

        await self._app(scope, receive, complete)
