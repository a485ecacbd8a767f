"""Exception handlers: every failure of a request becomes a problem document."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from app.problems.constraints import Schema, allowed_values
from app.problems.errors import InvalidFields, Kind, Unavailable, path_of, problem_response
from app.problems.json import brief, cut, encode
from models.errors import CatteryError, NotFound

log = logging.getLogger(__name__)

MAX_ERRORS = 20
CLIENT_CLOSED_REQUEST = 499  # as in nginx; only the request counter sees it

_PLACES = frozenset({"body", "query", "path", "header", "cookie"})


def register(app: FastAPI) -> None:
    """Register the handlers."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _fail)


async def _refuse(request: Request, error: Exception) -> Response:
    """Respond to an error of ours."""
    if not isinstance(error, CatteryError):
        raise error
    response = problem_response(error, path_of(request.scope))
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Probes and overload cause these every second; they must not fill the log.
        level = logging.INFO if isinstance(error, Unavailable) else logging.WARNING
        log.log(level, "%s %s: %s", request.method, path_of(request.scope), error)
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    """Respond with every invalid field, its value and the values it allows."""
    if not isinstance(error, RequestValidationError):
        raise error
    # The schema, not pydantic's messages: it has the bounds of every field in one form.
    document = request.app.openapi()
    path = getattr(request.scope.get("route"), "path", "")
    fields = [_field(e, document, path, request.method) for e in error.errors()[:MAX_ERRORS]]
    return problem_response(InvalidFields(fields), path_of(request.scope))


def _field(error: Mapping[str, Any], document: Schema, path: str, method: str) -> dict[str, Any]:
    """Return a validation error as field, value, allowed values and a sentence."""
    where, names = _place(error["loc"])
    field, value = cut(".".join(names) or where, 100), brief(error.get("input"))
    allowed = allowed_values(document, path, method, where, names)
    # Pydantic's own words are for programmers, and `allowed` says the same for clients.
    why = "" if allowed and error["type"] != "repeated" else f": {error['msg']}"
    detail = f"{field} is {_shown(value)}{why}."
    if error["type"] == "missing":
        value, detail = None, f"{field} is missing."
    elif error["type"] == "extra_forbidden":
        detail = f"Unknown field {field!r} with value {value!r}."
    return {"detail": detail, "field": field, "value": value, "allowed": allowed}


def _shown(value: object) -> str:
    """Return a value as its client wrote it: JSON's constants and lists, other text quoted."""
    return repr(value) if isinstance(value, str) else encode(value).decode()


def _place(loc: Sequence[object]) -> tuple[str, list[str]]:
    """Return the place of a field ("body", "query", ...) and the parts of its dotted name."""
    parts = [str(part) for part in loc]
    if parts and parts[0] in _PLACES:
        return parts[0], parts[1:]
    return "body", parts


async def _framework(request: Request, error: Exception) -> Response:
    """Respond to what the framework rejects: unknown paths, wrong methods, broken bodies."""
    if not isinstance(error, HTTPException):
        raise error
    path, status = path_of(request.scope), HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        missing = NotFound("page", path)
        missing.remedy = "See / for an index and /docs for all operations."
        return problem_response(missing, path)
    answer = CatteryError(str(error.detail), "See /docs for all operations and their fields.")
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed = ", ".join(_methods(request))
        answer = CatteryError(f"{path} does not support {request.method}.", f"Use {allowed}.")
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    return problem_response(answer, path, kind, headers)


def _methods(request: Request) -> list[str]:
    """Return the methods that a path supports."""
    # The framework names those of one route alone, and a path may have one for each method.
    routes, scope = request.app.router.routes, request.scope
    return [
        method
        for method in ("GET", "HEAD", "POST", "DELETE")
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]


async def _left(_request: Request, _error: Exception) -> Response:
    """Respond to a client that disconnected during an upload, for the request counter."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _fail(request: Request, _error: Exception) -> Response:
    """Respond to an unexpected error."""
    # Nothing of the error itself: it may name paths or hosts. The server logs the traceback.
    detail = "An unexpected error occurred; the service's log has the details."
    remedy = "Try again; if it happens again, report it."
    return problem_response(CatteryError(detail, remedy), path_of(request.scope))


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    CatteryError: _refuse,
    RequestValidationError: _invalid,
    HTTPException: _framework,
    ClientDisconnect: _left,
}
"""Handlers of all errors that are expected."""
