"""Every way a request can fail, as a problem document."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.problems.constraints import Schema, allowed_values
from app.problems.errors import InvalidFields, Kind, Unavailable, problem_response
from app.problems.json import brief, cut
from models.errors import CatteryError, NotFound

log = logging.getLogger(__name__)

MAX_ERRORS = 20
CLIENT_LEFT = 499  # as nginx logs it; nobody reads the response

_PLACES = frozenset({"body", "query", "path", "header", "cookie"})


def register(app: FastAPI) -> None:
    """Make every failure of the app's routes a problem document."""
    app.add_exception_handler(CatteryError, _refuse)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _fail)


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer with one of our own errors; any other is raised again."""
    if not isinstance(error, CatteryError):
        raise error
    response = problem_response(error, request.url.path)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # What a probe or a crowd asks for every second must not fill the log.
        level = logging.INFO if isinstance(error, Unavailable) else logging.WARNING
        log.log(level, "%s %s: %s", request.method, request.url.path, error)
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    """Name every invalid field with its value and what it allows."""
    if not isinstance(error, RequestValidationError):
        raise error
    document = request.app.openapi()
    path = getattr(request.scope.get("route"), "path", "")
    fields = [_field(e, document, path, request.method) for e in error.errors()[:MAX_ERRORS]]
    return problem_response(InvalidFields(fields), request.url.path)


def _field(error: Mapping[str, Any], document: Schema, path: str, method: str) -> dict[str, Any]:
    """Return one validation error as field, value, allowed and a sentence."""
    if error["type"] == "json_invalid":
        why = str(error.get("ctx", {}).get("error", ""))
        detail = f"The body is not JSON: {why} at character {error['loc'][-1]}."
        return {"detail": detail, "field": "body", "value": None, "allowed": "JSON"}
    where, names = _place(error["loc"])
    field, value = cut(".".join(names) or where, 100), brief(error.get("input"))
    detail = f"{field} is {value!r}: {error['msg']}."
    if error["type"] == "missing":
        value, detail = None, f"{field} is missing."
    elif error["type"] == "extra_forbidden":
        detail = f"Unknown field {field!r} with value {value!r}."
    allowed = allowed_values(document, path, method, where, names)
    return {"detail": detail, "field": field, "value": value, "allowed": allowed}


def _place(loc: Sequence[object]) -> tuple[str, list[str]]:
    """Return where a field is ("body", "query", ...) and its dotted name's parts."""
    parts = [str(part) for part in loc]
    if parts and parts[0] in _PLACES:
        return parts[0], parts[1:]
    return "body", parts


async def _framework(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: unknown routes, wrong methods, broken bodies."""
    if not isinstance(error, HTTPException):
        raise error
    path, status = request.url.path, HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        missing = NotFound("page", path)
        missing.remedy = "See / for the addresses, /docs for all calls."
        return problem_response(missing, path)
    answer = CatteryError(str(error.detail), "See /docs for the calls and their fields.")
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", headers.get("allow", "other methods"))
        answer = CatteryError(f"{path} does not support {request.method}.", f"Use {allowed}.")
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    return problem_response(answer, path, kind, headers)


async def _left(_request: Request, _error: Exception) -> Response:
    """The client hung up in mid-upload: there is nobody to tell."""
    return Response(status_code=CLIENT_LEFT)


async def _fail(request: Request, _error: Exception) -> Response:
    """Say that it is our fault, and nothing else; the server logs the traceback."""
    detail = "An unexpected error occurred; the log of the service has the details."
    remedy = "Try again; if it happens again, please report it."
    response = problem_response(CatteryError(detail, remedy), request.url.path)
    # Starlette sends this one from outside of all middleware, `Hardening` included.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
