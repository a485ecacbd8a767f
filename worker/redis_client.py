"""Connections to the Redis or Valkey that holds the queue."""

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.errors import RedisUrlMissing

AWAY = (RedisConnectionError, RedisTimeoutError)  # what is raised while Redis is unavailable

TIMEOUT_S = 5.0


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """Return a client that notices a dead connection and tries twice; no I/O yet.

    Args:
        url: redis://, rediss:// or unix:// URL; may hold a password.
        timeout_s: Longest wait for one answer, seconds.

    Raises:
        RedisUrlMissing: The URL is empty.
    """
    if not url:
        raise RedisUrlMissing
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
    )
