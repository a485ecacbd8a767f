"""Access control: which requests are refused before any route sees them.

In this order: a foreign Host or Origin, or a forwarded request, if no key is configured (403), a
missing or wrong key (401), a key without the scope (403), a media type that other sites' pages
could send (415), a body over its limit (413).
"""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.keys import CLIENT, KeyRing
from app.http.origins import is_local_host, is_own_origin
from app.http.scopes import SAFE_METHODS, required_scope
from app.problems.errors import (
    Forbidden,
    MissingScope,
    TooLarge,
    Unauthorized,
    UnsupportedMedia,
    path_of,
    problem_response,
)
from app.settings import AppSettings
from models.errors import CatteryError

JSON = "application/json"
ZIP = "application/zip"

# What proxies add to the requests that they pass on.
FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)

_UPLOAD = re.compile(r"/datasets/[^/]+")


def is_upload(scope: Scope) -> bool:
    """Return whether the request uploads a zip file: `POST /datasets/{name}`."""
    if scope["method"] != "POST":
        return False
    path = path_of(scope).removeprefix(scope.get("root_path", ""))
    return _UPLOAD.fullmatch(path) is not None


class Gate:
    """ASGI middleware that refuses what must not reach the app.

    Args:
        app: The wrapped app.
        settings: Key and limits.
    """

    # Pure ASGI, not Starlette's BaseHTTPMiddleware: a body can be refused while it is received,
    # and responses are not buffered.

    def __init__(self, app: ASGIApp, settings: AppSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            await self._check(scope, headers)
        except CatteryError as err:
            response = problem_response(err, path_of(scope))
            if isinstance(err, TooLarge):
                response.headers["Connection"] = "close"  # cheaper than reading the rest
            await response(scope, receive, send)
            return
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)  # no body, as nearly always: nothing to count
            return
        too_large = self._too_large(scope)
        metered = _Metered(receive, send, too_large)
        try:
            await self._app(scope, metered.receive, metered.send)
        except TooLarge:
            if not metered.is_over:
                raise
        if metered.is_over and not metered.has_started:
            response = problem_response(too_large, path_of(scope))
            response.headers["Connection"] = "close"
            await response(scope, receive, send)

    async def _check(self, scope: Scope, headers: Headers) -> None:
        ring: KeyRing = scope["app"].state.key_ring
        if not ring.is_required:
            _check_caller(scope, headers)
        if scope["method"] not in SAFE_METHODS:
            if ring.is_required:
                await _check_key(scope, headers, ring)
            # Browsers send no other method to another site without asking first.
            if scope["method"] == "POST":
                _check_type(scope, headers)
        declared = _declared(headers)
        if declared and declared > (too_large := self._too_large(scope)).limit_bytes:
            raise too_large

    def _too_large(self, scope: Scope) -> TooLarge:
        if is_upload(scope):
            return TooLarge(self._settings.max_upload_bytes, "CATTERY_MAX_UPLOAD_BYTES")
        return TooLarge(self._settings.max_body_bytes, "CATTERY_MAX_BODY_BYTES")


class _Metered:
    """A request's body, counted while it is received; nothing is read past the limit."""

    def __init__(self, receive: Receive, send: Send, too_large: TooLarge) -> None:
        self._receive = receive
        self._send = send
        self._too_large = too_large
        self._left = too_large.limit_bytes
        self.is_over = False
        self.has_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.is_over = True
                raise self._too_large
        return message

    async def send(self, message: Message) -> None:
        # The framework turns the error into a 400 of its own; ours says what is wrong.
        if self.is_over and not self.has_started:
            return
        self.has_started = True
        await self._send(message)


def _check_caller(scope: Scope, headers: Headers) -> None:
    """Refuse what another website's page may have made a browser send."""
    # Without a key the browser's same-origin rules are all that protects the service.
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    scheme = "https" if scope.get("scheme") == "https" else "http"
    if len(hosts) != 1 or not is_local_host(hosts[0], scheme):
        raise Forbidden(
            f"The Host {', '.join(hosts)[:100]!r} is not a name of this machine.",
            "Use 127.0.0.1 or localhost; for other names set CATTERY_API_KEY.",
        )
    for origin in origins:
        if not is_own_origin(origin, hosts[0], scheme):
            raise Forbidden(
                f"The Origin {origin[:100]!r} is another website.",
                "Send the request from a page of this service, or without a browser.",
            )
    # A proxy that calls us under our own name would let everybody in who can reach the proxy.
    for name, _ in scope["headers"]:
        if name in FORWARDED:
            raise Forbidden(
                f"The request was forwarded by a proxy (it has {name.decode()}), and this service "
                "has no key.",
                "Set CATTERY_API_KEY or add a key with `cattery keys add`, then restart the "
                "service; or call it directly.",
            )


async def _check_key(scope: Scope, headers: Headers, ring: KeyRing) -> None:
    client = await ring.client_of(headers)
    if client is None:
        raise Unauthorized(given="authorization" in headers)
    needed = required_scope(scope)
    if needed is not None and needed not in client.scopes:
        raise MissingScope(needed, sorted(client.scopes))
    scope[CLIENT] = client


def _check_type(scope: Scope, headers: Headers) -> None:
    """Refuse any media type but the one that the operation expects."""
    # Forms and plain text can be sent to other sites without a CORS preflight; these cannot.
    allowed = ZIP if is_upload(scope) else JSON
    given = headers.getlist("content-type")
    if not given:
        if _declared(headers) or "transfer-encoding" in headers:
            raise UnsupportedMedia(None, allowed)
        return
    for value in given:
        if value.partition(";")[0].strip().lower() != allowed:
            raise UnsupportedMedia(value, allowed)


def _declared(headers: Headers) -> int:
    """Return the declared length of the body, bytes; 0 without a valid one."""
    text = headers.get("content-length", "0").strip()
    # Twenty digits exceed any limit, and Python refuses to convert thousands. What is not a
    # number is counted as it arrives.
    return int(text[:20]) if text.isascii() and text.isdigit() else 0
