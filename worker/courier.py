"""Tells the receivers of webhooks that their jobs have ended, and tries again until they heard."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Self

from redis import Redis

from models.errors import CatteryError, Gone, InvalidValue, NotFound
from models.store import Store
from models.store.names import age_s
from models.store.records import JobRecord, WebhookRecord
from worker.redis_client import AWAY
from worker.settings import WorkerSettings
from worker.webhook_delivery import GONE, SUCCESS, TIMEOUT_S, deliver, payload_of, signed

log = logging.getLogger(__name__)

WAITS = (*AWAY, CatteryError)
"""What keeps all notices waiting: Redis or the store."""

CHECK_S = 2.0
FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 3600.0
GIVE_UP_S = 3 * 24 * 3600.0  # since the job's end
LOCK_MS = int(4000 * TIMEOUT_S)  # resolving a name has a timeout of its own


class Courier:
    """A thread that delivers what is due; beside the jobs, which never wait for it.

    What is due is in the store, so any worker's courier goes on where one died: at least once.

    Args:
        store: Holds the notices and the jobs.
        redis: A client for this thread; keeps two couriers from delivering the same at once.
        settings: The worker's.
    """

    def __init__(self, store: Store, redis: Redis, settings: WorkerSettings) -> None:
        self._store = store
        self._redis = redis
        self._hosts = settings.allowed_webhook_hosts
        secret = settings.webhook_secret
        self._secret = None if secret is None else secret.get_secret_value()
        self._ended = threading.Event()
        # A daemon: a receiver that is silent must not hold up the worker's exit.
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def __enter__(self) -> Self:
        if self._secret is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def sweep(self) -> None:
        """Deliver everything that is due.

        Raises:
            StoreError: The store cannot be read or written.
            redis.RedisError: Redis is unavailable.
        """
        for notice in self._store.webhooks.pending():
            if self._ended.is_set():
                return
            if notice.next_at is None or age_s(notice.next_at) >= 0:
                self._treat(notice)

    def _work(self) -> None:
        while not self._ended.wait(CHECK_S):
            try:
                self.sweep()
            except WAITS as err:
                log.warning("Webhooks wait: %s", err)
            except Exception:
                log.exception("Delivering webhooks failed; it is tried again.")

    def _treat(self, seen: WebhookRecord) -> None:
        try:
            job = self._store.jobs.get(seen.job)
        except (NotFound, Gone):
            # Written just before its job, or its job was deleted.
            if age_s(seen.created_at) > FIRST_RETRY_S:
                self._store.webhooks.remove(seen.job)
            return
        lock = f"cattery:webhook:{seen.job}"
        if not job.status.has_ended or not self._redis.set(lock, "1", nx=True, px=LOCK_MS):
            return
        try:
            # Another courier may have delivered it between the listing and this lock.
            notice = self._store.webhooks.get(seen.job)
            if notice is not None and notice.attempts == seen.attempts:
                self._attempt(notice, job)
        finally:
            self._redis.delete(lock)

    def _attempt(self, notice: WebhookRecord, job: JobRecord) -> None:
        """Deliver a notice once; note what came of it."""
        body = payload_of(job)
        headers = signed(body, f"msg_{job.id}", self._secret or "", time.time())
        try:
            status = deliver(notice.url, body, headers, self._hosts)
            outcome = f"the receiver answered {status}"
        except InvalidValue as err:
            status, outcome = GONE, str(err)
        except CatteryError as err:
            status, outcome = 0, str(err)
        is_over = status in SUCCESS or status == GONE
        if is_over or age_s(job.ended_at or notice.created_at) > GIVE_UP_S:
            self._store.webhooks.remove(job.id)
        else:
            pause_s = min(FIRST_RETRY_S * 2.0 ** min(notice.attempts, 20), LONGEST_RETRY_S)
            next_at = datetime.now(UTC) + timedelta(seconds=pause_s)
            self._store.webhooks.failed(notice, next_at.isoformat())
        if status not in SUCCESS:
            # repr: the outcome may have words of a stranger's server in it.
            log.warning("Webhook of job %s, attempt %d: %r", job.id, notice.attempts + 1, outcome)
