"""What can go wrong on the web side, and the one table from errors to HTTP.

    CatteryError (models.errors)
    └── AppError
        ├── SettingsError       the service refuses to be built like this
        ├── Forbidden           403: another site's browser, or a foreign host name
        ├── Unauthorized        401: the key is missing or wrong
        ├── NotAcceptable       406: no such format can be made
        ├── TooLarge            413: the body is over its limit
        ├── UnsupportedMedia    415: a body of another type
        ├── Busy                503: too many pictures wait
        ├── QueueUnavailable    503: Redis is away
        ├── NotReady            503: something needed for serving is missing
        └── DeadlineExceeded    504: the pictures came too late

Every error answer is a problem document (RFC 9457) of one shape, made by
`problem_response`: `type`, `title`, `status`, `detail`, `instance`, and where
there is more to say `remedy`, `field`, `value`, `allowed`, `errors`, `known`,
`missing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from app.problems.json import brief, cut, encode
from models.errors import (
    CatteryError,
    CheckpointError,
    Conflict,
    Gone,
    InvalidValue,
    NotFound,
    StoreError,
)

LONGEST_DETAIL = 2000
MEDIA_TYPE = "application/problem+json"


class AppError(CatteryError):
    """Base of the front end's errors."""


class SettingsError(AppError):
    """The service refuses to be built with these settings."""


class BadRequest(AppError):
    """What came is not HTTP/1.1, or too much of it."""


class Forbidden(AppError):
    """The caller may not do this, whatever key it shows."""


class Unauthorized(AppError):
    """The key is missing or wrong."""

    def __init__(
        self, detail: str = "This call changes something and carries no valid key."
    ) -> None:
        super().__init__(detail, "Send Authorization: Bearer with the key of CATTERY_API_KEY.")


class NotAcceptable(AppError):
    """None of the formats that the client takes can be made."""


class RequestTimeout(AppError):
    """The client is too slow.

    Args:
        part: What of the request is late: "header" or "body".
    """

    def __init__(self, part: str) -> None:
        super().__init__(
            f"Timed out waiting for the request {part}.",
            f"Send it faster, or raise CATTERY_{part.upper()}_TIMEOUT_S.",
        )


class TooLarge(AppError):
    """The body is over its limit.

    Args:
        limit_bytes: Largest body allowed, bytes.
        setting: The setting that says so.
    """

    def __init__(self, limit_bytes: int, setting: str) -> None:
        super().__init__(
            f"The body is larger than {limit_bytes} bytes.",
            f"Send less, or raise the setting {setting}.",
        )
        self.limit_bytes = limit_bytes


class UnsupportedMedia(AppError):
    """A body of another media type than the call takes."""

    def __init__(self, value: str | None, allowed: str) -> None:
        came = "no Content-Type" if value is None else f"Content-Type {value[:100]!r}"
        super().__init__(f"The body came with {came}.", f"Send Content-Type: {allowed}.")
        self.value = value
        self.allowed = allowed


class Unavailable(AppError):
    """It does not work now; later it may.

    Args:
        detail: What happened, one sentence.
        remedy: What to do about it, one sentence.
        retry_after_s: When to try again, seconds.
    """

    def __init__(self, detail: str, remedy: str = "", retry_after_s: int = 5) -> None:
        super().__init__(detail, remedy or f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class Busy(Unavailable):
    """Too many pictures wait already."""

    def __init__(
        self, detail: str = "Too many pictures are waiting.", retry_after_s: int = 1
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class QueueUnavailable(Unavailable):
    """Redis is away: nothing can be queued."""


class NotReady(Unavailable):
    """Something that serving needs is missing.

    Args:
        missing: What is missing, a sentence each.
        retry_after_s: When to look again, seconds.
    """

    def __init__(self, missing: Sequence[str], retry_after_s: int = 5) -> None:
        super().__init__("Not ready: " + " ".join(missing), retry_after_s=retry_after_s)
        self.missing = tuple(missing)


class DeadlineExceeded(AppError):
    """The pictures were not made in time."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            f"The pictures were not ready within {deadline_s:g} s.",
            "Ask for fewer, try again later, or raise the setting CATTERY_DEADLINE_S.",
        )
        self.deadline_s = deadline_s


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of errors looks on the wire."""

    status: int
    slug: str
    title: str


INTERNAL = Kind(500, "internal-error", "Something broke on our side")

KINDS: Mapping[type[CatteryError], Kind] = {
    BadRequest: Kind(400, "bad-request", "Bad request"),
    Unauthorized: Kind(401, "unauthorized", "The key is missing or wrong"),
    Forbidden: Kind(403, "forbidden", "This caller may not do that"),
    NotFound: Kind(404, "not-found", "There is no such thing"),
    NotAcceptable: Kind(406, "not-acceptable", "That format cannot be made"),
    RequestTimeout: Kind(408, "request-timeout", "Request timeout"),
    Conflict: Kind(409, "conflict", "It exists already, or is in use"),
    Gone: Kind(410, "gone", "It was deleted"),
    TooLarge: Kind(413, "too-large", "The body is too large"),
    UnsupportedMedia: Kind(415, "unsupported-media-type", "A body of that type is not taken"),
    InvalidValue: Kind(422, "invalid-value", "A value is out of range"),
    CheckpointError: Kind(500, "damaged-version", "The stored weights are damaged"),
    Busy: Kind(503, "busy", "Too much is waiting"),
    QueueUnavailable: Kind(503, "queue-unavailable", "The job queue is away"),
    NotReady: Kind(503, "not-ready", "Not ready to serve"),
    StoreError: Kind(503, "store-unavailable", "The store does not work"),
    DeadlineExceeded: Kind(504, "deadline-exceeded", "It took too long"),
    CatteryError: INTERNAL,
}

# Attributes of errors that become members of the problem document: what a
# client sent may be endless and is cut, what we tell is not.
_SENT = ("field", "value", "allowed")
_TOLD = ("known", "missing")


def kind_of(error: CatteryError) -> Kind:
    """Return how an error looks on the wire: the nearest row of `KINDS`."""
    return next(KINDS[c] for c in type(error).__mro__ if c in KINDS)


def problem(error: CatteryError, instance: str | None = None) -> dict[str, Any]:
    """Return an error as the members of a problem document."""
    document = document_of(kind_of(error), error.detail, error.remedy, instance)
    for name in _SENT:
        if hasattr(error, name):
            document[name] = brief(getattr(error, name))
    for name in _TOLD:
        if hasattr(error, name):
            document[name] = list(getattr(error, name))
    return document


def document_of(
    kind: Kind, detail: str, remedy: str = "", instance: str | None = None
) -> dict[str, Any]:
    """Return the members that every problem document has."""
    document: dict[str, Any] = {
        "type": f"urn:cattery:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": cut(detail, LONGEST_DETAIL),
    }
    if instance is not None:
        document["instance"] = instance
    if remedy:
        document["remedy"] = cut(remedy, LONGEST_DETAIL)
    return document


def response_of(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as an HTTP response."""
    return Response(encode(document), document["status"], headers, MEDIA_TYPE)


def problem_response(error: CatteryError, instance: str | None = None) -> Response:
    """Return an error of ours as an HTTP response with the headers that its status asks for."""
    return response_of(problem(error, instance), _headers(error))


def _headers(error: CatteryError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="cattery"'
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, StoreError):
        headers["Retry-After"] = "5"
    return headers
