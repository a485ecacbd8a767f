"""The right to run one job, held by at most one process at a time."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Self
from uuid import uuid4

from redis import Redis

from models.errors import CatteryError
from worker.protocol import LEASE_TTL_S, lease_key
from worker.redis_client import AWAY, Outages, connect, reason_of

log = logging.getLogger(__name__)

# Renews our own lease, takes a free one (at first, or because Redis was flushed or restarted),
# and leaves another's alone. Returns 1 when it is ours afterwards.
RENEW = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1
"""
RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""

RENEWALS = 5  # per TTL; the reaper counts on two within 0.4 of it
RETRIES = 20  # per TTL, while Redis refuses: renewed before the reaper misses it
CERTAIN = 0.9  # of the TTL: the rest is for clocks that drift and a write that is under way
POLL_S = 0.05

# Unlike Linux's monotonic clock it goes on while the machine sleeps, as the key's TTL does.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """A key in Redis with our token, renewed by a thread until released or lost.

    It is ours only as long as the last renewal certainly lasts. When Redis refuses or does not
    answer for longer, nobody can tell whose the lease is, and `wait` suspends the job. Once Redis
    answers again, the lease is ours again if it is free and `is_current` agrees, else it is lost.

    Args:
        redis: A client for the renewing thread; `lease_client` returns one with short timeouts.
        job: Id of the job.
        ttl_s: Seconds without renewal after which the lease is free.
        token: Name of the holder, if several processes hold it together; else it is unique.
    """

    def __init__(
        self, redis: Redis, job: str, ttl_s: float = LEASE_TTL_S, token: str | None = None
    ) -> None:
        self._redis = redis
        self._key = lease_key(job)
        self._ttl_s = ttl_s
        self._token = token or uuid4().hex
        self._held_until = 0.0
        self._is_current: Callable[[], bool] = lambda: True
        self._outages = Outages(f"Lease on job {job}")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        """Acquire the lease if it is free and keep renewing it; return whether it is ours.

        Raises:
            redis.RedisError: Redis did not grant it within the TTL.
        """
        deadline = _now() + self._ttl_s
        while True:
            try:
                if not self._renew():
                    return False
                break
            except AWAY as err:
                if _now() > deadline:
                    raise
                self._outages.began(err)
            self._ended.wait(self._ttl_s / RETRIES)
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return True

    def held(self) -> bool:
        """Whether it is certainly ours now; does no I/O."""
        return _now() < self._held_until

    def wait(self, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Return whether it is ours; while nobody can tell, wait until somebody can.

        Args:
            give_up: Whether to stop waiting; the lease then counts as not ours.
        """
        while not self.held():
            if self._thread is None or not self._thread.is_alive() or give_up():
                return False
            self._ended.wait(POLL_S)
        return True

    def regain_if(self, is_current: Callable[[], bool]) -> None:
        """Take a lease that ran out again only if this holds.

        Args:
            is_current: Whether nobody else ran the job meanwhile: Redis cannot tell, since
                another holder may have come and gone. Called in the renewing thread.
        """
        self._is_current = is_current

    def release(self) -> None:
        """Release the lease if it is still ours; if Redis is unavailable, it expires by itself."""
        self._ended.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        self._held_until = 0.0
        try:
            self._redis.eval(RELEASE, 1, self._key, self._token)
        except AWAY as err:
            log.warning(
                "Could not release %s: Redis is unavailable, %s.", self._key, reason_of(err)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self) -> None:
        """Renew it until it is released or lost; the thread."""
        pause_s = self._ttl_s / RENEWALS
        while not self._ended.wait(pause_s):
            pause_s = self._ttl_s / RENEWALS
            try:
                if not self._renew():
                    self._held_until = 0.0
                    log.warning("Lost %s to another process.", self._key)
                    return
            except AWAY as err:
                self._outages.began(err)
                pause_s = self._ttl_s / RETRIES
            except CatteryError as err:
                log.warning("Cannot tell whether %s is still ours: %s", self._key, err)

    def _renew(self) -> bool:
        """Renew or take it; return whether it is ours."""
        asked_at = _now()  # before the call: Redis counts the TTL from some moment during it
        ours = self._redis.eval(RENEW, 1, self._key, self._token, str(int(self._ttl_s * 1000)))
        self._outages.ended()
        ran_out = self._held_until and asked_at >= self._held_until
        if not ours or (ran_out and not self._is_current()):
            return False
        self._held_until = asked_at + CERTAIN * self._ttl_s
        return True


def lease_client(url: str, ttl_s: float) -> Redis:
    """Return a client for a lease, whose renewals fail soon enough to be repeated.

    Args:
        url: URL of the Redis.
        ttl_s: The lease's.
    """
    return connect(url, timeout_s=ttl_s / RENEWALS)


def _now() -> float:
    return time.clock_gettime(CLOCK)
