"""The state of the service in one document, cheap enough to be polled every other second."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from fastapi import Depends, Request
from starlette.datastructures import State

from app.api.dependencies import RootDep, SettingsDep, known_parameters_only
from app.api.health import checks_of
from app.api.routing import Router
from app.api.schemas import DeviceView, QueuedJob, ServiceView, StatusView, WorkerView
from app.api.views import job_view
from app.observability.metrics import value_of
from app.observability.probes import OK
from app.observability.rates import Rates
from app.problems.errors import QueueUnavailable
from app.problems.openapi import problems
from app.settings import AppSettings
from models.store.names import age_s
from models.store.records import JobRecord, JobStatus
from worker.roster import WorkerRecord
from worker.vitals import device_memory, memory_bytes

FRESH_S = 1.0  # many clients that poll cost no more than one

T = TypeVar("T")

router = Router(
    tags=["health"], dependencies=[Depends(known_parameters_only)], responses=problems(422, 503)
)


@router.get("/status", summary="State of the service", operation_id="get_status")
async def get_status(request: Request, settings: SettingsDep, root: RootDep) -> StatusView:
    """Health, traffic, memory, workers and the queue, at most a second old.

    Traffic is that of this front end in the last minute, from the same counters as `/metrics`.
    While Redis is unavailable `workers` is empty, and the queue is ordered by time.
    """
    board: StatusBoard = request.app.state.status_board
    return await board.get(settings, root)


class StatusBoard:
    """Gathers the state of the service, once for all who ask within a second.

    Args:
        state: The app's parts.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = asyncio.Lock()
        self._made_at = float("-inf")
        self._view: StatusView | None = None

    async def get(self, settings: AppSettings, root: str) -> StatusView:
        """Return the state of the service.

        Raises:
            StoreError: The store cannot be read.
        """
        async with self._lock:
            if self._view is None or monotonic() - self._made_at >= FRESH_S:
                self._view = await self._gather(settings, root)
                self._made_at = monotonic()
            return self._view

    async def _gather(self, settings: AppSettings, root: str) -> StatusView:
        state = self._state
        checks, missing = await checks_of(state, settings)
        records = (await state.job_table.get()).values()
        is_there = checks["queue"] == OK  # else each call would wait for its timeout
        workers = await _if_there(state.queue.workers) if is_there else []
        order = await _if_there(state.queue.waiting) if is_there else []
        rates: Rates = state.rate_meter.rates()
        return StatusView(
            status="not ready" if missing else "ready",
            version=version("cattery"),
            started_at=state.started_at,
            uptime_s=round(age_s(state.started_at), 1),
            checks=checks,
            traffic=rates,
            service=_service(state, settings),
            workers=[_worker(worker) for worker in workers],
            running=[job_view(r, root) for r in records if r.status is JobStatus.STARTED],
            queue=_queue([r for r in records if r.waits_for_worker], order, root),
            queue_note=(state.queue.note() or None) if is_there else None,
            store_free_bytes=await asyncio.to_thread(state.store.tree.free_bytes),
            data_free_bytes=await asyncio.to_thread(_free_bytes, settings.data),
            min_free_bytes=settings.min_free_mb * 2**20,
        )


async def _if_there(ask: Callable[[], list[T]]) -> list[T]:
    """Return what the queue says; nothing if Redis has just gone away."""
    try:
        return await asyncio.to_thread(ask)
    except QueueUnavailable:
        return []


def _free_bytes(folder: Path) -> int | None:
    """Return the free space of a folder's disk; None if it cannot be read."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _service(state: State, settings: AppSettings) -> ServiceView:
    gauges = state.telemetry
    return ServiceView(
        host=socket.gethostname(),
        pid=os.getpid(),
        rss_bytes=memory_bytes(),
        device=_device(state.device, device_memory(state.device)),
        loaded=sorted(slot.name for slot in state.pool.serving().values()),
        weights_bytes=int(value_of(gauges.device_bytes)),
        cache_bytes=int(value_of(gauges.cache_bytes)),
        waiting_images=int(value_of(gauges.waiting_images)),
        max_waiting_images=settings.max_waiting_images,
        encoding_images=int(value_of(gauges.encoding_images)),
        connections=int(value_of(gauges.connections)),
        max_connections=settings.max_connections,
    )


def _worker(record: WorkerRecord) -> WorkerView:
    reports = [report for report in (record.vitals, record.job_vitals) if report]
    newest: dict[str, Any] = reports[-1] if reports else {}
    own, used, total = (newest.get(f"device_{name}bytes") for name in ("", "used_", "total_"))
    memory = None if own is None or used is None or total is None else (own, used, total)
    return WorkerView(
        name=record.name,
        state=record.state,
        host=record.host,
        job=record.job,
        started_at=record.started_at,
        seen_at=record.seen_at,
        rss_bytes=sum(report.get("rss_bytes") or 0 for report in reports) if reports else None,
        device=_device(str(newest.get("device", "unknown")), memory),
    )


def _device(name: str, memory: tuple[int, int, int] | None) -> DeviceView:
    own, used, total = memory or (None, None, None)
    return DeviceView(name=name, own_bytes=own, used_bytes=used, total_bytes=total)


def _queue(records: list[JobRecord], order: list[str], root: str) -> list[QueuedJob]:
    """Return the queued jobs in the order in which workers take them."""
    place = {job: number for number, job in enumerate(order)}
    # A job that Redis has lost comes last: the reaper queues it again.
    records.sort(key=lambda record: (place.get(record.id, len(place)), record.created_at))
    return [
        QueuedJob(
            position=position,
            waiting_s=round(age_s(record.created_at), 1),
            job=job_view(record, root),
        )
        for position, record in enumerate(records, start=1)
    ]
