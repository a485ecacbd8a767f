"""Errors of the front end, and the one table from errors to HTTP.

Every error response is a problem document (RFC 9457), made by `problem_response`: `type`,
`title`, `status`, `detail`, `instance`, and where they apply `remedy`, `field`, `value`,
`allowed`, `errors`, `known` and `missing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

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
    """The service refuses to start with its settings."""


class BadRequest(AppError):
    """The bytes are not HTTP/1.1, or exceed a limit of it."""


class MalformedBody(AppError):
    """The body is not JSON.

    Args:
        reason: What is wrong with it, without a period.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The body is not valid JSON: {reason}.", "Send a JSON object.")


class RangeNotSatisfiable(AppError):
    """No range of a Range header lies within the file.

    Args:
        value: The header.
        size: Size of the file, bytes.
    """

    def __init__(self, value: str, size: int) -> None:
        super().__init__(
            f"The range {value[:100]!r} is beyond the end of the file.",
            f"The file has {size} bytes: request less, or the whole file without a range.",
        )
        self.size = size


class Forbidden(AppError):
    """A request by another website's page, or for a foreign host name."""


class MissingScope(Forbidden):
    """The key is valid, but does not allow this call.

    Args:
        scope: What it would have to allow.
        known: What it allows.
    """

    def __init__(self, scope: str, known: Sequence[str]) -> None:
        super().__init__(
            f"This call requires a key with the scope '{scope}'; yours has {', '.join(known)}.",
            f"Use another key: `cattery keys add NAME --scope {scope}` makes one.",
        )
        self.scope = scope


class Unauthorized(AppError):
    """The key is missing or wrong.

    Args:
        given: Whether there was one.
    """

    def __init__(self, *, given: bool = False) -> None:
        super().__init__(
            "This call changes something and requires a valid key.",
            "Send the header Authorization: Bearer, once, with the key in CATTERY_API_KEY or one "
            "of `cattery keys add`.",
        )
        self.given = given


class NotAcceptable(AppError):
    """None of the formats that the client accepts is available."""


class RequestTimeout(AppError):
    """The client is too slow to send its request.

    Args:
        part: The late part: "header" or "body".
    """

    def __init__(self, part: str) -> None:
        super().__init__(
            f"Timed out waiting for the request {part}.",
            f"Send it faster, or raise CATTERY_{part.upper()}_TIMEOUT_S.",
        )


class TooLarge(AppError):
    """The body is over its limit.

    Args:
        limit_bytes: Maximum size, bytes.
        setting: Name of the setting.
    """

    def __init__(self, limit_bytes: int, setting: str) -> None:
        super().__init__(
            f"The body is larger than {limit_bytes} bytes.",
            f"Send a smaller one, or raise {setting}.",
        )
        self.limit_bytes = limit_bytes


class InvalidFields(InvalidValue):
    """One or several fields of a request are invalid.

    Args:
        fields: `field`, `value`, `allowed` and `detail` of each.
    """

    def __init__(self, fields: Sequence[Mapping[str, Any]]) -> None:
        remedies = [f"Allowed for {f['field']}: {f['allowed']}." for f in fields if f["allowed"]]
        # Not InvalidValue's own: that writes the detail of a single field.
        CatteryError.__init__(self, " ".join(f["detail"] for f in fields), " ".join(remedies))
        if len(fields) == 1:
            self.field, self.value, self.allowed = (fields[0][name] for name in _FIELD)
        else:
            self.errors = fields


class TooManyRequests(AppError):
    """A client has used up its share of something.

    Args:
        name: Of what, as in the RateLimit header.
        share: Its share, in words.
        setting: Name of the setting.
        retry_after_s: Time to wait before trying again, seconds.
        policy: Parameters of the RateLimit-Policy header.
        remaining: What is left of the share: less than was asked for.
    """

    # The headers are those of draft-ietf-httpapi-ratelimit-headers-10.

    def __init__(
        self,
        name: str,
        share: str,
        setting: str,
        retry_after_s: int,
        *,
        policy: str,
        remaining: int = 0,
    ) -> None:
        super().__init__(
            f"One client may have {share}; of {name} {remaining} are left.",
            f"Try again in {retry_after_s} s, or have {setting} raised.",
        )
        self.retry_after_s = retry_after_s
        self.policy = f'"{name}";{policy}'
        self.state = f'"{name}";r={remaining};t={retry_after_s}'


class UnsupportedMedia(AppError):
    """The body has a media type that the operation does not accept."""

    def __init__(self, value: str | None, allowed: str) -> None:
        came = "no Content-Type" if value is None else f"Content-Type {value[:100]!r}"
        super().__init__(f"The request has {came}.", f"Send Content-Type: {allowed}.")
        self.value = value
        self.allowed = allowed


class Unavailable(AppError):
    """A temporary failure.

    Args:
        detail: What happened, one sentence.
        remedy: What to do about it, one sentence.
        retry_after_s: Time to wait before trying again, seconds.
    """

    def __init__(self, detail: str, remedy: str = "", retry_after_s: int = 5) -> None:
        super().__init__(detail, remedy or f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class Busy(Unavailable):
    """Too many images are waiting, or too many connections are open."""

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class QueueUnavailable(Unavailable):
    """Redis is unavailable, so no job can be queued."""


class NotReady(Unavailable):
    """The service cannot serve cats.

    Args:
        missing: What is missing, one sentence each.
        retry_after_s: Time to wait before trying again, seconds.
    """

    def __init__(self, missing: Sequence[str], retry_after_s: int = 5) -> None:
        super().__init__("Not ready: " + " ".join(missing), retry_after_s=retry_after_s)
        self.missing = tuple(missing)


class DeadlineExceeded(AppError):
    """The images were not rendered in time."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            f"The images were not ready within {deadline_s:g} s.",
            "Request fewer, try again later, or raise CATTERY_DEADLINE_S.",
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """The HTTP status of a class of errors, and its type and title in a problem document."""

    status: int
    slug: str
    title: str


INTERNAL = Kind(500, "internal-error", "Internal error")

KINDS: Mapping[type[CatteryError], Kind] = {
    BadRequest: Kind(400, "bad-request", "Bad request"),
    MalformedBody: Kind(400, "malformed-body", "Malformed request body"),
    Unauthorized: Kind(401, "unauthorized", "Missing or invalid key"),
    Forbidden: Kind(403, "forbidden", "Forbidden"),
    MissingScope: Kind(403, "missing-scope", "Key without the required scope"),
    NotFound: Kind(404, "not-found", "Not found"),
    NotAcceptable: Kind(406, "not-acceptable", "No acceptable format"),
    RequestTimeout: Kind(408, "request-timeout", "Request timeout"),
    Conflict: Kind(409, "conflict", "Already exists or in use"),
    Gone: Kind(410, "gone", "Deleted"),
    TooLarge: Kind(413, "too-large", "Request body too large"),
    UnsupportedMedia: Kind(415, "unsupported-media-type", "Unsupported media type"),
    RangeNotSatisfiable: Kind(416, "range-not-satisfiable", "Range not satisfiable"),
    InvalidValue: Kind(422, "invalid-value", "Invalid input"),
    TooManyRequests: Kind(429, "too-many-requests", "Too many requests of one client"),
    CheckpointError: Kind(500, "damaged-version", "Damaged weights in the store"),
    Busy: Kind(503, "busy", "Overloaded"),
    QueueUnavailable: Kind(503, "queue-unavailable", "Job queue unavailable"),
    NotReady: Kind(503, "not-ready", "Not ready"),
    StoreError: Kind(503, "store-unavailable", "Store unavailable"),
    DeadlineExceeded: Kind(504, "deadline-exceeded", "Deadline exceeded"),
    CatteryError: INTERNAL,
}

# Attributes of errors that become members of the problem document. What a client sent may be of
# any length and is cut; what we list is not.
_FIELD = ("field", "value", "allowed")
_LISTS = ("errors", "known", "missing")


def kind_of(error: CatteryError) -> Kind:
    """Return the row of `KINDS` for an error, by its nearest base class."""
    return next(KINDS[c] for c in type(error).__mro__ if c in KINDS)


def problem(
    error: CatteryError, instance: str | None = None, kind: Kind | None = None
) -> dict[str, Any]:
    """Return an error as the members of a problem document.

    Args:
        error: What happened.
        instance: Path of the request.
        kind: For an error of the framework, which has no row in `KINDS`.
    """
    kind = kind or kind_of(error)
    document = {
        "type": f"urn:cattery:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": cut(error.detail, LONGEST_DETAIL),
        "instance": instance,
        "remedy": cut(error.remedy, LONGEST_DETAIL) or None,
    }
    document = {name: member for name, member in document.items() if member is not None}
    document |= {name: brief(getattr(error, name)) for name in _FIELD if hasattr(error, name)}
    return document | {name: list(getattr(error, name)) for name in _LISTS if hasattr(error, name)}


def problem_response(
    error: CatteryError,
    instance: str | None = None,
    kind: Kind | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error as an HTTP response with the headers that its status requires."""
    document = problem(error, instance, kind)
    fields = {"Cache-Control": "no-store", **(headers or {})}
    if challenge := _challenge(error):
        fields["WWW-Authenticate"] = challenge
    if isinstance(error, RangeNotSatisfiable):
        fields["Content-Range"] = f"bytes */{error.size}"
    elif isinstance(error, TooManyRequests):
        fields["Retry-After"] = str(error.retry_after_s)
        fields["RateLimit-Policy"], fields["RateLimit"] = error.policy, error.state
    elif isinstance(error, Unavailable | StoreError):
        fields["Retry-After"] = str(getattr(error, "retry_after_s", 5))
    return Response(encode(document), document["status"], fields, MEDIA_TYPE)


def _challenge(error: CatteryError) -> str:
    """Return the WWW-Authenticate header of an error (RFC 6750, section 3), or ""."""
    realm = 'Bearer realm="cattery"'
    if isinstance(error, MissingScope):
        return f'{realm}, error="insufficient_scope", scope="{error.scope}"'
    if isinstance(error, Unauthorized):
        return f'{realm}, error="invalid_token"' if error.given else realm
    return ""


def path_of(scope: Scope) -> str:
    """Return the path that the client requested, for `instance`."""
    root, path = scope.get("root_path", ""), str(scope["path"])
    # A proxy may have removed the prefix, or passed it on.
    return path if path.startswith(f"{root}/") else f"{root}{path}"
