"""Connections to the Redis or Valkey that holds the queue, and what keeps one from working."""

import logging
import re

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from worker.errors import RedisUrlInvalid, RedisUrlMissing

log = logging.getLogger(__name__)

# Whatever is no success: after a failover or with a full disk Redis answers, but refuses to write.
# redis-py turns the operating system's errors into its own.
AWAY = (RedisError,)

TIMEOUT_S = 5.0

PROBE = "cattery:probe"
PROBE_MS = 1000

# The first pattern that an error matches, by its class and message, names the reason. A message
# itself is for logs only: it may contain host names.
REASONS = (
    (r"ReadOnlyError|READONLY|NOREPLICAS", "it is read-only: a replica, or cut off from its own"),
    (r"OutOfMemoryError|OOM", "its memory is full (maxmemory)"),
    (r"MISCONF", "it cannot write to its disk"),
    (r"BusyLoadingError|LOADING", "it is still loading its data"),
    (r"NOAUTH|Authentication required", "it requires a password"),
    (r"WRONGPASS|invalid (username-)?password|AuthenticationError", "it rejects the password"),
    (r"NOPERM|NoPermissionError|AuthorizationError", "its user lacks the permission"),
    (r"max(imum)? number of clients|MaxConnectionsError", "it has too many clients"),
    (r"Cluster|CROSSSLOT|MOVED|MovedError", "it is a cluster, which Cattery does not support"),
    (r"MASTERDOWN|MasterDownError", "it is a replica without its primary"),
    (r"(?i)certificate|ssl|tls|wrong version number", "the TLS connection failed"),
    (r"(?i)name or service not known|nodename|name resolution", "its host name is unknown"),
    (r"(?i)connection refused|No such file", "nothing listens at its address"),
    (r"InvalidResponse|Protocol Error", "what listens at its address is no Redis"),
    (r"(?i)timeout|timed out", "it does not respond in time"),
    (r"(?i)ConnectionError|closed|reset|broken pipe|OSError", "the connection to it was lost"),
)


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """Return a client that replaces a closed connection; no I/O yet.

    It repeats no call: everybody who calls Redis goes on without it or tries again later, and
    redis-py would repeat the call, its connection and that one's health check each, so that one
    retry makes eight timeouts of a Redis that hangs.

    Args:
        url: redis://, rediss:// or unix:// URL; may hold a password.
        timeout_s: Longest wait for one answer, seconds.

    Raises:
        RedisUrlMissing: The URL is empty.
        RedisUrlInvalid: It is no URL of a Redis.
    """
    if not url:
        raise RedisUrlMissing
    try:
        return Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise RedisUrlInvalid from None


def check_writable(redis: Redis) -> None:
    """Check that Redis accepts writes; PING alone succeeds on a replica, or with full memory.

    Raises:
        redis.RedisError: It does not, or cannot be reached.
    """
    redis.set(PROBE, "1", px=PROBE_MS)


def reason_of(err: BaseException) -> str:
    """Return why Redis is unavailable, half a sentence without host names."""
    known = f"{type(err).__name__} {getattr(err, 'status_code', '')} {err}"
    found = (reason for pattern, reason in REASONS if re.search(pattern, known))
    return next(found, f"it answered with an error ({type(err).__name__})")


class Outages:
    """Logs each outage of Redis once, with its reason, and its end. For one thread.

    Args:
        what: Who is affected: the beginning of a sentence.

    Attributes:
        reason: Why Redis is unavailable, as far as is known; None while it is not.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.reason: str | None = None

    def began(self, err: BaseException) -> None:
        """Note that a call failed; logs it unless the reason is the same as before."""
        reason = reason_of(err)
        if reason != self.reason:
            log.warning("%s: Redis is unavailable, %s. (%s)", self._what, reason, err)
        self.reason = reason

    def ended(self) -> None:
        """Note that a call succeeded."""
        if self.reason is not None:
            log.warning("%s: Redis is available again.", self._what)
        self.reason = None
