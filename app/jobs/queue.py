"""The job queue, which may be unavailable."""

import logging
from collections.abc import Callable

from redis import Redis

from app.problems.errors import QueueUnavailable
from app.settings import AppSettings
from models.store.records import JobRecord
from worker.announcements import announce
from worker.queue import enqueue
from worker.redis_client import AWAY, check_writable, connect, reason_of
from worker.roster import WorkerRecord, roster, waiting

_log = logging.getLogger(__name__)


class JobQueue:
    """Queues jobs. Calls block, with short timeouts; safe for use by many threads.

    Args:
        settings: URL and timeout of Redis.
        note: Returns what operators should know of a Redis that works, or "".
    """

    def __init__(self, settings: AppSettings, note: Callable[[], str] = lambda: "") -> None:
        self._settings = settings
        self.note = note
        self._redis = redis_of(settings)

    def submit(self, record: JobRecord) -> None:
        """Queue a job's next attempt; queueing it twice is harmless.

        Raises:
            QueueUnavailable: Redis does not respond, or refuses it.
        """
        try:
            request = record.request_id
            enqueue(self._client(), record.id, record.attempts, self._settings, request)
        except AWAY as err:
            raise self._away(err) from err

    def check(self) -> None:
        """Check that jobs can be queued.

        Raises:
            QueueUnavailable: Redis does not respond, or refuses to write.
        """
        try:
            check_writable(self._client())
        except AWAY as err:
            raise self._away(err) from err

    def workers(self) -> list[WorkerRecord]:
        """Return the workers that are alive.

        Raises:
            QueueUnavailable: Redis does not respond.
        """
        try:
            return roster(self._client())
        except AWAY as err:
            raise self._away(err) from err

    def waiting(self) -> list[str]:
        """Return the ids of the queued jobs, the next one first.

        Raises:
            QueueUnavailable: Redis does not respond.
        """
        try:
            return waiting(self._client())
        except AWAY as err:
            raise self._away(err) from err

    def announce(self, model: str) -> bool:
        """Announce a moved alias to all front ends; return whether that was sent."""
        return self._redis is not None and announce(self._redis, model)

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()

    def _client(self) -> Redis:
        if self._redis is None:
            raise QueueUnavailable(
                "No Redis is configured.",
                "Set CATTERY_REDIS_URL, or start with `cattery serve`.",
                self._settings.retry_after_s,
            )
        return self._redis

    def _away(self, err: Exception) -> QueueUnavailable:
        _log.warning("Redis is unavailable: %s", err)
        # Its message stays in the log: it may name hosts.
        return QueueUnavailable(
            f"The job queue (Redis) is unavailable: {reason_of(err)}.",
            "",
            self._settings.retry_after_s,
        )


def redis_of(settings: AppSettings) -> Redis | None:
    """Return a client, or None without a URL; no I/O yet."""
    if not settings.redis_url:
        return None
    return connect(settings.redis_url, timeout_s=settings.redis_timeout_s)
