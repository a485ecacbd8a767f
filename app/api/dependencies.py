"""Dependencies of routes: parts of the app, by their type."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from app.api.routing import repeated
from app.http.limits import Limits
from app.inference.pool import GeneratorPool
from app.jobs.queue import JobQueue
from app.observability.metrics import Telemetry
from app.problems.constraints import allowed_values, parameter_names, returns_picture
from app.settings import AppSettings
from models.errors import InvalidValue
from models.store import Store


def _part(name: str) -> Any:
    """Return the dependency on a part of the app, an attribute of `app.state`."""

    # A coroutine: FastAPI would send a plain function through a thread.
    async def part(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(part)


def root_of(request: Request) -> str:
    """Return the path that the app is mounted at, "" or without a trailing slash."""
    return str(request.scope.get("root_path", "")).rstrip("/")


async def _root(request: Request) -> str:
    return root_of(request)


async def known_parameters_only(request: Request) -> None:
    """Refuse query parameters that occur twice, and unknown ones unless a picture is requested.

    Raises:
        InvalidValue: There is one; the message lists the known ones.
        RequestValidationError: A known one occurs more than once.
    """
    if not request.query_params:
        return
    path, document = getattr(request.scope.get("route"), "path", ""), request.app.openapi()
    known = parameter_names(document, path, request.method)
    if errors := repeated(request, frozenset(known)):
        raise RequestValidationError(errors)
    # People append ?time= or utm_source to the address of a picture, to get past caches.
    if returns_picture(document, path, request.method):
        return
    for name, value in request.query_params.multi_items():
        if name not in known:
            allowed = allowed_values(document, path, request.method, "query", [name])
            detail = f"Unknown query parameter {name[:100]!r}."
            raise InvalidValue(name[:100], value, allowed, detail)


async def _client(request: Request) -> str:
    limits: Limits = request.app.state.limits
    return await limits.client(request)


SettingsDep = Annotated[AppSettings, _part("settings")]
StoreDep = Annotated[Store, _part("store")]
PoolDep = Annotated[GeneratorPool, _part("pool")]
QueueDep = Annotated[JobQueue, _part("queue")]
LimitsDep = Annotated[Limits, _part("limits")]
TelemetryDep = Annotated[Telemetry, _part("telemetry")]
RootDep = Annotated[str, Depends(_root)]
ClientDep = Annotated[str, Depends(_client)]
