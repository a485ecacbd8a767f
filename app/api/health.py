"""Liveness, readiness and metrics."""

import asyncio
from collections.abc import Awaitable
from importlib.metadata import version

from fastapi import APIRouter, Request, Response

from app.api.dependencies import PoolDep, QueueDep, RootDep, SettingsDep, StoreDep, TelemetryDep
from app.api.schemas import Live, Ready
from app.api.views import picks_of
from app.inference.pool import GeneratorPool
from app.jobs.queue import JobQueue
from app.observability.metrics import CONTENT_TYPE
from app.problems.errors import NotReady
from app.problems.openapi import problems
from app.settings import AppSettings
from models.errors import CatteryError
from models.store import Store

CHECK_S = 5.0
OK = "ok"
PAGES = ("models", "recipes", "datasets", "jobs", "docs", "healthz", "readyz", "metrics")

router = APIRouter(tags=["health"])


@router.get("/", summary="Index", operation_id="index")
@router.head("/", include_in_schema=False)
async def index(settings: SettingsDep, root: RootDep, pool: PoolDep) -> dict[str, str | list[str]]:
    """Links to all resources, and to selected cats."""
    card = pool.card(settings.default_model.partition("@")[0])
    return {
        "name": "Cattery",
        "version": version("cattery"),
        "cats": f"{root}/cats?model={settings.default_model}&n=16",
        "picks": picks_of(card, root) if card else [],
        **{page: f"{root}/{page}" for page in PAGES},
        "openapi": f"{root}/openapi.json",
    }


@router.get("/healthz", summary="Liveness", operation_id="healthz")
@router.head("/healthz", include_in_schema=False)
async def healthz() -> Live:
    """Whether the event loop responds; uses neither store, threads nor Redis."""
    return Live(status="alive", version=version("cattery"))


@router.get("/readyz", summary="Readiness", operation_id="readyz", responses=problems(503))
@router.head("/readyz", include_in_schema=False)
async def readyz(
    request: Request, store: StoreDep, pool: PoolDep, queue: QueueDep, settings: SettingsDep
) -> Ready:
    """Whether `GET /cats` works: the store is available and the default model in service.

    Other problems are reported but do not cause a 503. `queue`: without Redis no job can be
    queued, but cats are still served, so a front end should stay in its load balancer.
    `pool`: a version could not be loaded, and the old one is still in service. `zoo`: an
    included generator cannot be used.
    """
    store_says, queue_says = await asyncio.gather(
        _within(asyncio.to_thread(_store, store)), _within(asyncio.to_thread(_queue, queue))
    )
    needed = {"store": store_says, "default_model": _default_model(pool, settings)}
    checks = needed | {
        "zoo": " ".join(request.app.state.zoo_problems) or OK,
        "pool": " ".join(pool.problems()) or OK,
        "queue": queue_says,
    }
    missing = [f"{part}: {says}" for part, says in needed.items() if says != OK]
    if missing and checks["zoo"] != OK:  # perhaps the reason why
        missing.append(f"zoo: {checks['zoo']}")
    if request.app.state.stopping.is_set():
        missing.append("service: it is ending.")
    if missing:
        raise NotReady(missing, settings.retry_after_s)
    loaded = sorted(slot.name for slot in pool.serving().values())
    return Ready(status="ready", checks=checks, loaded=loaded)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
@router.head("/metrics", include_in_schema=False)
async def metrics(telemetry: TelemetryDep) -> Response:
    """Counters, gauges and histograms of this process in Prometheus' text format."""
    return Response(telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE})


async def _within(check: Awaitable[str]) -> str:
    """Give a check some seconds: what hangs is not ok."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await check
    except TimeoutError:
        return f"no answer within {CHECK_S:g} s."


def _store(store: Store) -> str:
    try:
        store.tree.names("models")
    except CatteryError as err:
        return str(err)
    return OK


def _queue(queue: JobQueue) -> str:
    try:
        queue.check()
    except CatteryError as err:
        return str(err)
    return OK


def _default_model(pool: GeneratorPool, settings: AppSettings) -> str:
    """Whether the default model is in service; a pinned version is loaded when asked for."""
    model = settings.default_model.partition("@")[0]
    return OK if pool.card(model) else f"The model {model!r} is not in service."
