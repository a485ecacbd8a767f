"""The right to run one job, held by at most one process at a time."""

import logging
import threading
from typing import Self
from uuid import uuid4

from redis import Redis

from worker.protocol import LEASE_TTL_S, lease_key
from worker.redis_client import AWAY

log = logging.getLogger(__name__)

# Renews our own lease, takes a free one (Redis was flushed or restarted), and leaves
# another's alone. Returns 1 when it is ours afterwards.
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


class Lease:
    """A key in Redis with our token, renewed by a thread until released or lost.

    While Redis is unreachable nobody can tell who holds it, and the holder goes on: the epochs
    of the job's state in the store keep two processes from writing one state. Once Redis
    answers again, the lease is ours again or known to be lost.

    Args:
        redis: A client for the renewing thread.
        job: Id of the job.
        ttl_s: Seconds without renewal after which the lease is lost.
        token: Name of the holder, if several processes hold it together; else it is unique.
    """

    def __init__(
        self, redis: Redis, job: str, ttl_s: float = LEASE_TTL_S, token: str | None = None
    ) -> None:
        self._redis = redis
        self._key = lease_key(job)
        self._ttl_ms = int(ttl_s * 1000)
        self._token = token or uuid4().hex
        self._held = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        """Acquire the lease if it is free and keep renewing it; return whether it is ours."""
        self._held = self._renew()
        if self._held:
            self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
            self._thread.start()
        return self._held

    def held(self) -> bool:
        """Whether it is ours as far as is known; does no I/O."""
        return self._held

    def release(self) -> None:
        """Release the lease if it is still ours; if Redis is unavailable, it expires by itself."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if not self._held:
            return
        self._held = False
        try:
            self._redis.eval(RELEASE, 1, self._key, self._token)
        except AWAY as err:
            log.warning("Could not release lease %s: %s", self._key, err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._ended.wait(self._ttl_ms / 1000 / RENEWALS):
            try:
                self._held = self._renew()
            except AWAY as err:
                # Not lost yet: as long as Redis does not answer, nobody else can take it.
                log.warning("Could not renew lease %s: %s", self._key, err)
                continue
            if not self._held:
                log.warning("Lost lease %s to another process.", self._key)
                return

    def _renew(self) -> bool:
        """Renew it, or take it if it is free; return whether it is ours."""
        return bool(self._redis.eval(RENEW, 1, self._key, self._token, str(self._ttl_ms)))
