"""The one RQ queue, and what RQ knows of an attempt at a job."""

from enum import StrEnum

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.job import JobStatus as RqStatus

from worker.protocol import QUEUE, RUN_JOB, SharedSettings

REQUEST = "request_id"  # of the request that submitted a job, among what RQ keeps of an attempt
SERIALIZER = "json"  # RQ's default unpickles whatever it finds in Redis


class Attempt(StrEnum):
    """What RQ knows of one attempt at a job."""

    UNKNOWN = "unknown"  # never queued, or forgotten, or Redis was flushed
    WAITING = "waiting"  # in the queue
    RUNNING = "running"  # taken from the queue by a process, which may have died since
    FAILED = "failed"  # RQ saw its process die
    ENDED = "ended"


def job_queue(redis: Redis) -> Queue:
    """Return the queue of all jobs."""
    return Queue(QUEUE, connection=redis, serializer=SERIALIZER)


def enqueue(
    redis: Redis, job: str, attempt: int, settings: SharedSettings, request: str | None = None
) -> bool:
    """Queue one attempt at a job; return False when that attempt is known already.

    Args:
        redis: Has the queue.
        job: Id of the job.
        attempt: Its number.
        settings: Of either process.
        request: Id of the request that submitted the job, for the worker's log.
    """
    try:
        job_queue(redis).enqueue_call(
            RUN_JOB,
            args=(job,),
            # Every attempt has an id of its own, which RQ takes once: queueing is idempotent.
            job_id=_attempt_id(job, attempt),
            unique=True,
            timeout=settings.job_timeout_s,
            result_ttl=settings.job_history_s,
            failure_ttl=settings.job_history_s,
            meta={REQUEST: request},
        )
    except DuplicateJobError:
        return False
    return True


def look_up(redis: Redis, job: str, attempt: int) -> Attempt:
    """Return what RQ knows of an attempt at a job."""
    name = _attempt_id(job, attempt)
    try:
        known = Job.fetch(name, connection=redis, serializer=SERIALIZER)
    except NoSuchJobError:
        return Attempt.UNKNOWN
    if job_queue(redis).get_job_position(name) is not None:
        return Attempt.WAITING
    status = known.get_status(refresh=False)
    if status in (RqStatus.FAILED, RqStatus.STOPPED, RqStatus.CANCELED):
        return Attempt.FAILED
    return Attempt.ENDED if status is RqStatus.FINISHED else Attempt.RUNNING


def job_of(attempt: str) -> str:
    """Return the job of an attempt's id."""
    return attempt.rpartition("-")[0]


def _attempt_id(job: str, attempt: int) -> str:
    return f"{job}-{attempt}"
