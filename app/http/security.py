"""Closed by default: what is refused before any route sees it.

Pure ASGI, so that a body can be refused while it is read and nothing buffers an
answer. In this order: a foreign Host or Origin where no key is configured (403), a
missing or wrong key (401), a body of a type that other sites' pages could send
without asking (415), a body over its limit (413).
"""

import hmac
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.origins import is_local_host, is_own_origin
from app.problems.errors import (
    Forbidden,
    SettingsError,
    TooLarge,
    Unauthorized,
    UnsupportedMedia,
    problem_response,
)
from app.settings import AppSettings
from models.errors import CatteryError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
JSON = "application/json"
ZIP = "application/zip"

NO_SNIFF = (b"x-content-type-options", b"nosniff")

_UPLOAD = re.compile(r"/datasets/[^/]+")


def check_closed(settings: AppSettings) -> None:
    """Refuse settings that would let everyone on the network in.

    Raises:
        SettingsError: The address is not loopback and there is no key.
    """
    if not settings.is_local and settings.api_key is None:
        raise SettingsError(
            f"Listening on {settings.host!r} would let the whole network change things.",
            "Set CATTERY_API_KEY, or CATTERY_HOST=127.0.0.1.",
        )


def is_upload(method: str, path: str) -> bool:
    """Say whether a call takes a zip file: `POST /datasets/{name}`."""
    return method == "POST" and _UPLOAD.fullmatch(path) is not None


class Gate:
    """ASGI middleware that lets in only what may come in.

    Args:
        app: What it guards.
        settings: Key and limits.
    """

    def __init__(self, app: ASGIApp, settings: AppSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = self._too_large(scope)
        try:
            self._check(scope, Headers(scope=scope), too_large)
        except CatteryError as err:
            response = problem_response(err, scope["path"])
            if isinstance(err, TooLarge):
                response.headers["Connection"] = "close"  # the rest is not worth reading
            await response(scope, receive, send)
            return
        metered = _Metered(receive, send, too_large)
        try:
            await self._app(scope, metered.receive, metered.send)
        except TooLarge:
            if not metered.is_over:
                raise
        if metered.is_over and not metered.has_started:
            response = problem_response(too_large, scope["path"])
            response.headers["Connection"] = "close"
            await response(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers, too_large: TooLarge) -> None:
        key = self._settings.api_key
        if key is None:
            _check_caller(scope, headers)
        if scope["method"] not in SAFE_METHODS:
            if key is not None:
                _check_key(headers, key.get_secret_value().strip())
            _check_type(scope, headers)
        if _declared(headers) > too_large.limit_bytes:
            raise too_large

    def _too_large(self, scope: Scope) -> TooLarge:
        if is_upload(scope["method"], scope["path"]):
            return TooLarge(self._settings.max_upload_bytes, "CATTERY_MAX_UPLOAD_BYTES")
        return TooLarge(self._settings.max_body_bytes, "CATTERY_MAX_BODY_BYTES")


class _Metered:
    """One request's body, counted as it comes; past the limit nothing more is read."""

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
        # The framework turns a broken body into an answer of its own: ours is truer.
        if self.is_over and not self.has_started:
            return
        self.has_started = True
        await self._send(message)


def _check_caller(scope: Scope, headers: Headers) -> None:
    """Refuse what another web page may have made a visitor's browser send."""
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    scheme = "https" if scope.get("scheme") == "https" else "http"
    if len(hosts) != 1 or not is_local_host(hosts[0], scheme):
        raise Forbidden(
            f"The Host {', '.join(hosts)[:100]!r} is not this machine's own name.",
            "Call 127.0.0.1 or localhost; for other names configure CATTERY_API_KEY.",
        )
    for origin in origins:
        if not is_own_origin(origin, hosts[0], scheme):
            raise Forbidden(
                f"The Origin {origin[:100]!r} is another web page's.",
                "Call from a page of this service, or from no page at all.",
            )


def _check_key(headers: Headers, key: str) -> None:
    given = headers.get("authorization", "")
    scheme, _, token = given.partition(" ")
    # Bytes: compare_digest refuses text that is not ASCII. Headers are Latin-1 on the wire.
    is_same = hmac.compare_digest(token.strip().encode("latin-1"), key.encode())
    if scheme.lower() != "bearer" or not is_same:
        raise Unauthorized


def _check_type(scope: Scope, headers: Headers) -> None:
    """Refuse the types that a page may send elsewhere without asking first (and all others)."""
    allowed = ZIP if is_upload(scope["method"], scope["path"]) else JSON
    given = headers.getlist("content-type")
    if not given:
        if _declared(headers) or "transfer-encoding" in headers:
            raise UnsupportedMedia(None, allowed)
        return
    for value in given:
        if value.partition(";")[0].strip().lower() != allowed:
            raise UnsupportedMedia(value, allowed)


def _declared(headers: Headers) -> int:
    """Return the declared length of the body, bytes; 0 for none that makes sense."""
    text = headers.get("content-length", "0").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else _odd(text)


def _odd(text: str) -> int:
    """A length of twenty digits is over any limit; what is no number is counted as it comes."""
    return 1 << 63 if text.isascii() and text.isdigit() else 0


class Hardening:
    """ASGI middleware that tells browsers not to guess and not to embed.

    Args:
        app: What it wraps.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), NO_SNIFF]
            await send(message)

        await self._app(scope, receive, harden)
