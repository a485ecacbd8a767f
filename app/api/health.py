"""Whether the service lives, is ready, and what it counts."""

import asyncio
from collections.abc import Awaitable
from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.api.dependencies import PoolDep, QueueDep, RootDep, SettingsDep, StoreDep, TelemetryDep
from app.api.schemas import Live, Ready
from app.api.views import picks_of
from app.inference.pool import GeneratorPool
from app.jobs.queue import JobQueue
from app.problems.errors import NotReady
from app.problems.openapi import problems
from app.settings import AppSettings
from models.errors import CatteryError
from models.store import Store

CHECK_S = 5.0
OK = "ok"
PAGES = ("models", "recipes", "datasets", "jobs", "docs", "healthz", "readyz", "metrics")

router = APIRouter(tags=["health"])


@router.get("/", summary="Where to go from here", operation_id="index")
@router.head("/", include_in_schema=False)
async def index(settings: SettingsDep, root: RootDep, pool: PoolDep) -> dict[str, str | list[str]]:
    """Addresses of everything, and some cats worth a look."""
    card = pool.card(settings.default_model.partition("@")[0])
    return {
        "name": "Cattery",
        "version": version("cattery"),
        "cats": f"{root}/cats?model={settings.default_model}&n=16",
        "picks": picks_of(card, root) if card else [],
        **{page: f"{root}/{page}" for page in PAGES},
        "openapi": f"{root}/openapi.json",
    }


@router.get("/healthz", summary="Does the process live?", operation_id="healthz")
@router.head("/healthz", include_in_schema=False)
async def healthz() -> Live:
    """Answered by the event loop alone: no store, no thread, no Redis."""
    return Live(status="alive", version=version("cattery"))


@router.get("/readyz", summary="Can cats be had?", operation_id="readyz", responses=problems(503))
@router.head("/readyz", include_in_schema=False)
async def readyz(
    request: Request, store: StoreDep, pool: PoolDep, queue: QueueDep, settings: SettingsDep
) -> Ready:
    """Ready means that `GET /cats` works; what else is missing is told, and no reason for 503.

    Needed are the store and the default model in service. Without Redis no job can be
    queued, but cats are served all the same: a front end must not leave the load balancer
    for that. A version that cannot be loaded leaves the old one in service and is told as
    `pool`, a generator of the release that cannot be used as `zoo`.
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
    summary="Counters for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
@router.head("/metrics", include_in_schema=False)
async def metrics(telemetry: TelemetryDep) -> Response:
    """Counters, gauges and histograms of this process in Prometheus' text format."""
    return Response(telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


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
