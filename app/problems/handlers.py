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

from app.problems.constraints import Ranges
from app.problems.errors import (
    INTERNAL,
    KINDS,
    Kind,
    Unavailable,
    document_of,
    problem_response,
    response_of,
)
from app.problems.json import brief, cut
from models.errors import CatteryError, InvalidValue, NotFound

log = logging.getLogger(__name__)

MAX_ERRORS = 20
CLIENT_LEFT = 499  # as nginx logs it; nobody reads the answer

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
    """Name every wrong field with its value and its range."""
    if not isinstance(error, RequestValidationError):
        raise error
    ranges = Ranges(request.app.openapi())
    path = getattr(request.scope.get("route"), "path", "")
    found = [_wrong(one, ranges, path, request.method) for one in error.errors()[:MAX_ERRORS]]
    remedies = [f"Allowed for {e['field']}: {e['allowed']}." for e in found if e["allowed"]]
    document = document_of(
        KINDS[InvalidValue],
        " ".join(e["detail"] for e in found),
        " ".join(remedies),
        request.url.path,
    )
    if len(found) == 1:
        document |= {k: v for k, v in found[0].items() if k != "detail"}
    else:
        document["errors"] = found
    return response_of(document)


def _wrong(error: Mapping[str, Any], ranges: Ranges, path: str, method: str) -> dict[str, Any]:
    """Return one validation error as field, value, allowed and a sentence."""
    where, names = _place(error["loc"])
    if error["type"] == "json_invalid":
        why = str(error.get("ctx", {}).get("error", ""))
        detail = f"The body is not JSON: {why} at character {error['loc'][-1]}."
        return {"detail": detail, "field": "body", "value": None, "allowed": "JSON"}
    field = ".".join(names) or where
    value, allowed = brief(error.get("input")), ranges.of(path, method, where, names)
    detail = f"{cut(field, 100)} is {value!r}: {error['msg']}."
    if error["type"] == "missing":
        value, detail = None, f"{field} is missing."
    if error["type"] == "extra_forbidden":
        detail = f"There is no field {cut(field, 100)!r} here (it came as {value!r})."
    return {"detail": detail, "field": cut(field, 100), "value": value, "allowed": allowed}


def _place(loc: Sequence[object]) -> tuple[str, list[str]]:
    """Return where a field is ("body", "query", ...) and its dotted name's parts."""
    parts = [str(part) for part in loc]
    if parts and parts[0] in _PLACES:
        return parts[0], parts[1:]
    return "body", parts


async def _framework(request: Request, error: Exception) -> Response:
    """Dress what the framework itself refuses: unknown routes, wrong methods, broken bodies."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        missing = NotFound("page", path)
        missing.remedy = "See / for the addresses, /docs for all calls."
        return problem_response(missing, path)
    status = HTTPStatus(error.status_code)
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    detail, remedy = str(error.detail), "See /docs for the calls and their fields."
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{path} does not take {request.method}."
        remedy = f"It takes {headers.get('Allow', headers.get('allow', 'other methods'))}."
    return response_of(document_of(kind, detail, remedy, path), headers)


async def _left(_request: Request, _error: Exception) -> Response:
    """The client hung up in mid-upload: there is nobody to tell."""
    return Response(status_code=CLIENT_LEFT)


async def _fail(request: Request, _error: Exception) -> Response:
    """Say that it is our fault, and nothing else; the server logs the traceback."""
    document = document_of(
        INTERNAL,
        "Something went wrong that should not have; the service's log says what.",
        "Try again; if it happens again, please report it.",
        request.url.path,
    )
    # Starlette sends this one from outside of all middleware, `Hardening` included.
    return response_of(document, {"X-Content-Type-Options": "nosniff"})
