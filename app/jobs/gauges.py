"""Gauges of jobs, queue, workers and disks, for the scrapes of Prometheus."""

import asyncio
import re
import shutil
from collections import Counter
from contextlib import suppress
from time import monotonic

from prometheus_client import CollectorRegistry, Gauge

from app.jobs.feed import JobTable
from app.jobs.queue import JobQueue
from app.problems.errors import QueueUnavailable
from app.settings import AppSettings
from models.errors import CatteryError
from models.store import Store
from models.store.names import age_s
from models.store.records import JobRecord, JobStatus

FRESH_S = 5.0  # a scrape within this costs nothing, however many there are
PATIENCE_S = 2.0  # of a scrape with a store or Redis that hangs; it then gets what was known

STATES = ("idle", "busy", "suspended")

# What the sentence with which a job failed tells, the first that matches: labels must stay few.
REASONS = (
    (r"^The job was interrupted", "interrupted"),
    (r"CATTERY_MIN_FREE_MB|No space left", "full_disk"),
    (r"^Out of memory", "out_of_memory"),
    (r"", "error"),
)
# The rules of `models.training.collapse`, which the front end must not import.
COLLAPSES = ("non_finite", "discriminator_won", "alike", "spots", "saturated")

# A series that appeared with its first job would begin at 1: no alert on a rise would fire.
PRESET = (
    *((status.value, "") for status in JobStatus),
    *((JobStatus.FAILED.value, word) for _, word in REASONS),
    *((JobStatus.COLLAPSED.value, rule) for rule in COLLAPSES),
)


class JobGauges:
    """Measures when asked, at most once within `FRESH_S`; what cannot be told has no value.

    Args:
        registry: Receives the gauges.
        settings: The front end's.
        jobs: All jobs.
        queue: Knows the workers.
        store: Its disk is one of those that are watched.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        settings: AppSettings,
        jobs: JobTable,
        queue: JobQueue,
        store: Store,
    ) -> None:
        self._settings, self._table, self._queue, self._store = settings, jobs, queue, store
        self._measured_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._registry = registry
        self._jobs = _gauge(registry, "jobs", "Jobs in the store.", "status", "reason")
        self._depth = _gauge(registry, "jobs_waiting", "Jobs that wait for a worker.", "kind")
        self._age = _gauge(
            registry, "jobs_waiting_oldest_seconds", "Age of the job that waits longest.", "kind"
        )
        self._workers = _gauge(registry, "workers", "Workers that are alive.", "state")
        self._up = _gauge(registry, "queue_up", "Whether Redis accepts jobs.")
        self._free = _gauge(registry, "disk_free_bytes", "Free disk space.", "disk")

    def close(self) -> None:
        """Take the gauges out of the registry, which may outlive them."""
        for gauge in (self._jobs, self._depth, self._age, self._workers, self._up, self._free):
            self._registry.unregister(gauge)

    async def refresh(self) -> None:
        """Measure, unless that was just done."""
        is_due = monotonic() - self._measured_at >= FRESH_S
        if self._task is None or (self._task.done() and is_due):
            self._task = asyncio.create_task(self._measure())
        await asyncio.wait({self._task}, timeout=PATIENCE_S)

    async def _measure(self) -> None:
        records: list[JobRecord] | None = None  # the store cannot be read
        with suppress(CatteryError):
            records = list((await self._table.get()).values())
        workers = await asyncio.to_thread(self._states)
        free = await asyncio.to_thread(self._free_bytes)
        # All at once, with no await in between: a scrape sees all of it or nothing.
        self._show_jobs(records)
        self._workers.clear()
        self._up.set(float(workers is not None))
        for state, count in (workers or {}).items():
            self._workers.labels(state).set(count)
        self._free.clear()
        for disk, count in free.items():
            self._free.labels(disk).set(count)
        self._measured_at = monotonic()

    def _show_jobs(self, records: list[JobRecord] | None) -> None:
        for gauge in (self._jobs, self._depth, self._age):
            gauge.clear()
        if records is None:
            return
        counts = Counter(dict.fromkeys(PRESET, 0))
        counts.update((record.status.value, reason_of(record)) for record in records)
        for labels, count in counts.items():
            self._jobs.labels(*labels).set(count)
        waiting = [record for record in records if record.waits_for_worker]
        for kind in ("train", "import"):
            ages = [age_s(record.created_at) for record in waiting if record.kind.value == kind]
            self._depth.labels(kind).set(len(ages))
            self._age.labels(kind).set(max(ages, default=0.0))

    def _states(self) -> dict[str, int] | None:
        """Return the number of workers by state, or None without Redis."""
        try:
            self._queue.check()
            found = Counter(worker.state for worker in self._queue.workers())
        except QueueUnavailable:
            return None
        return dict.fromkeys(STATES, 0) | found

    def _free_bytes(self) -> dict[str, int]:
        """Return the free space of the disks whose free space is known."""
        found: dict[str, int] = {}
        with suppress(OSError, CatteryError):  # no value: /readyz says why
            found["data"] = shutil.disk_usage(self._settings.data).free
            if (free := self._store.tree.free_bytes()) is not None:
                found["store"] = free
        return found


def reason_of(record: JobRecord) -> str:
    """Return why a job failed or collapsed, one of few words; "" for all others."""
    if record.status is JobStatus.COLLAPSED:
        return record.collapse.rule if record.collapse else "unknown"
    if record.status is not JobStatus.FAILED:
        return ""
    told = record.reason or ""
    return next(word for pattern, word in REASONS if re.search(pattern, told))


def _gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"cattery_{name}", text, labels, registry=registry)
