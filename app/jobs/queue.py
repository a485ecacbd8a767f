"""The job queue as the front end sees it: something that may be away."""

import json
import logging

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from app.problems.errors import QueueUnavailable
from app.settings import AppSettings
from models.store.records import JobRecord
from worker.protocol import ANNOUNCEMENTS, QUEUE, enqueue_arguments

_log = logging.getLogger(__name__)


class JobQueue:
    """Queues jobs by dotted name; blocking calls with short timeouts, safe from many threads.

    Args:
        settings: Where Redis is, and how long to wait for it.
    """

    def __init__(self, settings: AppSettings) -> None:
        self._settings = settings
        self._redis = _connect(settings)

    def submit(self, record: JobRecord) -> None:
        """Queue a job's next attempt; queueing the same one twice is harmless.

        Raises:
            QueueUnavailable: Redis is away.
        """
        try:
            queue = Queue(QUEUE, connection=self._client(), serializer=JSONSerializer)
            queue.enqueue_call(**enqueue_arguments(record.id, record.attempts, self._settings))
        except DuplicateJobError:
            _log.info("the job %s is queued already", record.id)
        except (RedisError, OSError) as err:
            raise self._away(err) from err

    def check(self) -> None:
        """Ask whether Redis answers.

        Raises:
            QueueUnavailable: It does not.
        """
        try:
            self._client().ping()
        except (RedisError, OSError) as err:
            raise self._away(err) from err

    def is_alive(self) -> bool:
        """Whether Redis answers."""
        try:
            self.check()
        except QueueUnavailable:
            return False
        return True

    def announce(self, model: str) -> bool:
        """Tell all front ends that a model's alias moved; they also look for themselves.

        Returns:
            Whether it was told; with Redis away it is not, and nothing is lost.
        """
        try:
            self._client().publish(ANNOUNCEMENTS, json.dumps({"model": model}))
        except (QueueUnavailable, RedisError, OSError) as err:
            _log.warning("the move of %s could not be announced: %s", model, err)
            return False
        return True

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
        _log.warning("Redis is away: %s", err)
        # Its own words stay in the log: they may name hosts.
        return QueueUnavailable(
            "The job queue (Redis) does not answer.", "", self._settings.retry_after_s
        )


def _connect(settings: AppSettings) -> Redis | None:
    """Return a client, or None without a URL; no I/O yet."""
    if not settings.redis_url:
        return None
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=settings.redis_timeout_s,
        socket_connect_timeout=settings.redis_timeout_s,
        # Once more at once: a pooled connection may have died with the last server.
        retry=Retry(NoBackoff(), 1),
    )
