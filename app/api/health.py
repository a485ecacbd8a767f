"""Index, liveness, readiness and metrics."""

import asyncio
from importlib.metadata import version
from typing import Any

from fastapi import Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.datastructures import State

from app.api.dependencies import PoolDep, RootDep, SettingsDep, TelemetryDep
from app.api.routing import Router
from app.api.schemas import Live, Ready
from app.api.views import picks_of
from app.http.negotiation import prefers_page
from app.inference.pool import GeneratorPool
from app.observability.probes import OK
from app.page.routes import index_page
from app.problems.errors import NotReady
from app.problems.openapi import problems
from app.settings import AppSettings

RESOURCES = (
    *("models", "recipes", "datasets", "jobs", "events"),
    *("status", "docs", "healthz", "readyz", "metrics"),
)

router = Router(tags=["health"])


@router.get("/", summary="Index", operation_id="index", response_model=dict[str, str | list[str]])
async def index(
    request: Request, response: Response, settings: SettingsDep, root: RootDep, pool: PoolDep
) -> Any:
    """Paths of all resources, and a few picked cats; browsers get the web page."""
    if prefers_page(", ".join(request.headers.getlist("accept"))):
        return index_page(request)
    response.headers["Vary"] = "Accept"
    card = pool.card(settings.default_model.partition("@")[0])
    return {
        "name": "Cattery",
        "version": version("cattery"),
        "cats": f"{root}/cats?model={settings.default_model}&n=16",
        "picks": picks_of(card, root) if card else [],
        **{name: f"{root}/{name}" for name in RESOURCES},
        "openapi": f"{root}/openapi.json",
    }


@router.get("/healthz", summary="Liveness", operation_id="healthz")
async def healthz() -> Live:
    """The process responds; the store and Redis are not checked."""
    return Live(status="alive", version=version("cattery"))


@router.get("/readyz", summary="Readiness", operation_id="readyz", responses=problems(503))
async def readyz(request: Request, pool: PoolDep, settings: SettingsDep) -> Ready:
    """Whether `GET /cats` works: the store and the default model are available; else 503.

    Also reported, without 503: `queue`, whether jobs can be queued; `pool`, versions that could
    not be put into service; `zoo`, generators of this release that cannot be used; `records`,
    damaged files of the store, which are left out of lists.
    """
    state = request.app.state
    checks, missing = await checks_of(state, settings)
    if missing:
        raise NotReady(missing, settings.retry_after_s)
    if checks["queue"] == OK:
        checks["queue"] = state.queue.note() or OK
    loaded = sorted(slot.name for slot in pool.serving().values())
    return Ready(status="ready", checks=checks, loaded=loaded)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, telemetry: TelemetryDep) -> Response:
    """Counters, gauges and histograms of this process, in Prometheus' text format.

    Those of jobs, queue, workers and disks are the same at every front end of a store, and at
    most five seconds old.
    """
    await request.app.state.job_gauges.refresh()
    return Response(telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def checks_of(state: State, settings: AppSettings) -> tuple[dict[str, str], list[str]]:
    """Return the state of each part, and what is missing for serving cats, a sentence each.

    Args:
        state: The app's parts.
        settings: The front end's.
    """
    # Without Redis no job can be queued, but cats are served: that is no reason to leave the
    # load balancer.
    store_state, records_state, queue_state = await asyncio.gather(
        state.store_probe.result(), state.records_probe.result(), state.queue_probe.result()
    )
    needed = {"store": store_state, "default_model": _default_model(state.pool, settings)}
    checks = needed | {
        "zoo": " ".join(state.zoo_problems) or OK,
        "pool": " ".join(state.pool.problems()) or OK,
        "records": records_state,
        "queue": queue_state,
    }
    missing = [f"{part}: {found}" for part, found in needed.items() if found != OK]
    if missing and checks["zoo"] != OK:  # possibly the cause
        missing.append(f"zoo: {checks['zoo']}")
    if state.stopping.is_set():
        missing.append("service: shutting down.")
    return checks, missing


def _default_model(pool: GeneratorPool, settings: AppSettings) -> str:
    """Return whether the default model is in service; a pinned version is loaded on request."""
    model = settings.default_model.partition("@")[0]
    return OK if pool.card(model) else f"The model {model!r} is not in service."
