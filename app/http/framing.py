"""Responses of unknown length to HTTP/1.0 clients, which do not know chunks."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def until_close(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """Wrap an app so that its responses without a length end with the connection.

    RFC 9112, section 6.1, forbids chunks here; uvicorn sends them, and closes anyway.

    Args:
        app: The app.
        cycle: The one request that it will be called for.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        has_length = False

        async def unframed(message: Message) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                has_length = any(name == b"content-length" for name, _ in message["headers"])
            if not has_length:
                # What uvicorn compares with Content-Length: this piece, and one more to come.
                more = message.get("more_body", False)
                cycle.chunked_encoding = False
                cycle.expected_content_length = len(message.get("body", b"")) + more
            await send(message)

        await app(scope, receive, unframed)

    return wrapped
