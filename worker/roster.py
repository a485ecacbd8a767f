"""The workers, what each of them does, and the order of the queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from redis import Redis
from rq import Worker

from worker.protocol import vitals_key
from worker.queue import SERIALIZER, job_of, job_queue
from worker.vitals import Vitals, reported


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """One worker.

    Attributes:
        state: "idle", "busy" or "suspended", as RQ says.
        job: Id of the job that it runs, if any.
        started_at: ISO 8601, UTC.
        seen_at: Of its last sign of life.
        vitals: What its process uses; None if that is not known.
        job_vitals: What the process of its job uses.
    """

    name: str
    state: str
    host: str | None
    job: str | None
    started_at: str | None
    seen_at: str | None
    vitals: Vitals | None
    job_vitals: Vitals | None


def roster(redis: Redis) -> list[WorkerRecord]:
    """Return the workers that are alive, by name."""
    workers = sorted(Worker.all(redis, serializer=SERIALIZER), key=lambda worker: worker.name)
    keys = [vitals_key(worker.name, role) for worker in workers for role in ("worker", "job")]
    raw = cast("list[bytes | None]", redis.mget(keys)) if keys else []
    reports = [reported(one) for one in raw]
    pairs = zip(workers, reports[::2], reports[1::2], strict=True)
    return [_record(worker, own, of_job) for worker, own, of_job in pairs]


def waiting(redis: Redis) -> list[str]:
    """Return the ids of the queued jobs, the next one first."""
    return [job_of(attempt) for attempt in job_queue(redis).get_job_ids()]


def _record(worker: Any, own: Vitals | None, of_job: Vitals | None) -> WorkerRecord:
    attempt = worker.get_current_job_id()
    job = job_of(attempt) if attempt else None
    if of_job is None or of_job.get("job") != job:  # the report of a process that has ended
        of_job = None
    return WorkerRecord(
        name=worker.name,
        state=str(worker.get_state()),
        host=worker.hostname,
        job=job,
        started_at=_text(worker.birth_date),
        seen_at=_text(worker.last_heartbeat),
        vitals=own,
        job_vitals=of_job,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds").replace("+00:00", "Z")
