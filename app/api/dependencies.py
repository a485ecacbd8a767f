"""What routes ask for: parts of the app, by their type."""

from typing import Annotated

from fastapi import Depends, Request

from app.inference.pool import GeneratorPool
from app.jobs.queue import JobQueue
from app.observability.metrics import Telemetry
from app.problems.constraints import allowed_values, parameter_names
from app.settings import AppSettings
from models.errors import InvalidValue
from models.store import Store

# All of these are coroutines: FastAPI would send plain functions through a thread.


async def _settings(request: Request) -> AppSettings:
    settings: AppSettings = request.app.state.settings
    return settings


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


async def _pool(request: Request) -> GeneratorPool:
    pool: GeneratorPool = request.app.state.pool
    return pool


async def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


async def _telemetry(request: Request) -> Telemetry:
    telemetry: Telemetry = request.app.state.telemetry
    return telemetry


def root_of(request: Request) -> str:
    """Return the path that the app is mounted at, "" or without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


async def _root(request: Request) -> str:
    return root_of(request)


async def known_parameters_only(request: Request) -> None:
    """Refuse query parameters that the operation does not have.

    Raises:
        InvalidValue: There is one; those that exist are told.
    """
    if not request.query_params:
        return
    path, document = getattr(request.scope.get("route"), "path", ""), request.app.openapi()
    known = parameter_names(document, path, request.method)
    for name, value in request.query_params.multi_items():
        if name not in known:
            allowed = allowed_values(document, path, request.method, "query", [name])
            detail = f"Unknown query parameter {name[:100]!r}."
            raise InvalidValue(name[:100], value, allowed, detail)


SettingsDep = Annotated[AppSettings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]
PoolDep = Annotated[GeneratorPool, Depends(_pool)]
QueueDep = Annotated[JobQueue, Depends(_queue)]
TelemetryDep = Annotated[Telemetry, Depends(_telemetry)]
RootDep = Annotated[str, Depends(_root)]
