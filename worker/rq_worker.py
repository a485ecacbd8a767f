"""The RQ worker: a fresh process per job, graceful shutdown, tolerance of a lost Redis."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar

from redis.client import Pipeline
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.worker import SpawnWorker

from worker.jobs import PAUSING
from worker.lease import Lease, lease_client
from worker.logs import about
from worker.protocol import without_secrets
from worker.queue import REQUEST
from worker.redis_client import AWAY, Outages, reason_of
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)


class CatteryWorker(SpawnWorker):
    """Runs one job at a time in a process of its own.

    Unlike RQ's SpawnWorker it passes no connection in the arguments of the job process, lets
    the job save a checkpoint when it is stopped, and survives a lost Redis.

    Attributes:
        child_module: What the job process runs.
        settings: Set by `worker.main` before work begins; not in a job process.
        outages: Likewise; logs outages of Redis.
        is_stopping: Whether it was asked to stop.
    """

    child_module: ClassVar[str] = "worker.job_process"
    max_connection_wait_time = 5.0  # RQ's minute is long for a Redis that is back
    settings: WorkerSettings
    outages: Outages
    is_stopping = False

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job, and hold its lease until its process has exited."""
        # A job process at low priority may be too slow to take or renew it on a busy machine.
        ttl_s = self.settings.lease_s
        with (
            about(job.args[0], job.meta.get(REQUEST)),
            closing(lease_client(self.settings.redis_url, ttl_s)) as redis,
            Lease(redis, job.args[0], ttl_s, self.name) as lease,
        ):
            try:
                lease.take()
            except AWAY as err:
                log.warning(
                    "Could not take the lease on job %s: Redis is unavailable, %s.",
                    job.args[0],
                    reason_of(err),
                )
            super().execute_job(job, queue)

    @property
    def connection_timeout(self) -> int:
        """Longest wait for an answer of Redis, seconds: RQ's ten beyond that for a job, halved."""
        return int(self.dequeue_timeout) + 5

    def fork_work_horse(self, job: Job, queue: Queue) -> None:  # noqa: ARG002 - RQ's signature
        """Start the job process; the name is RQ's."""
        execution = self.executions[next(iter(self.executions))]
        arguments = [sys.executable, "-m", self.child_module]
        arguments += [str(os.getpid()), self.name, job.id, execution.id]
        # Blocked until the job listens, for a request to stop must neither kill it before that nor
        # be lost; and with the default action, for whoever started the worker may ignore them.
        signals: dict[str, Any] = {"setsigmask": PAUSING, "setsigdef": PAUSING}
        self._horse_pid = os.posix_spawn(
            sys.executable, arguments, self._child_environment(), setpgroup=0, **signals
        )
        if self._stop_requested:  # the signal came before there was a process to pass it on to
            self.handle_warm_shutdown_request()

    def handle_warm_shutdown_request(self) -> None:
        """Ask the job for a checkpoint; kill it when that takes too long."""
        self.is_stopping = True
        if not self.horse_pid:
            return
        log.info("Shutting down: waiting for the job's checkpoint.")
        _signal(self.horse_pid, signal.SIGTERM)
        killer = threading.Timer(self.settings.shutdown_s, _kill_group, [self.horse_pid])
        killer.daemon = True
        killer.start()

    def set_shutdown_requested_date(self) -> None:
        """Write nothing to Redis: this runs in a signal handler, and Redis may be down."""

    def subscribe(self) -> None:
        """Ignore RQ's commands: jobs are canceled through the store, and workers by signals."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Send a heartbeat; while Redis is unavailable, wait for the next one."""
        try:
            super().heartbeat(timeout, pipeline)
        except AWAY as err:
            self.outages.began(err)
        else:
            if pipeline is None:  # else it is not sent yet
                self.outages.ended()

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send a running job's heartbeats; without Redis the worker waits for the job."""
        try:
            super().maintain_heartbeats(job, execution)
        except AWAY as err:
            self.outages.began(err)
        else:
            self.outages.ended()

    def teardown(self) -> None:
        """Sign off, or leave that to the time to live of what Redis knows of this worker."""
        if self.outages.reason is not None:
            return  # a Redis that hangs would hold up the exit
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except AWAY as err:
            self.outages.began(err)

    def _child_environment(self) -> dict[str, str]:
        inherited = without_secrets(os.environ)  # noqa: TID251 - handed on, not read
        if self.settings.threads is not None:
            inherited["OMP_NUM_THREADS"] = str(self.settings.threads)
        # The child finds the same packages, even where they are not installed.
        inherited["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        return inherited | self.settings.environment()


def _signal(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        log.debug("The job process %d has already exited.", pid)


def _kill_group(pid: int) -> None:
    """Kill a job process and its children; it leads a process group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("The job process %d has already exited.", pid)


class _WithoutOutages(logging.Filter):
    """Hands what RQ logs of an outage, with tracebacks and at each attempt, to `Outages`.

    Args:
        outages: Logs an outage once.
    """

    def __init__(self, outages: Outages) -> None:
        super().__init__()
        self._outages = outages

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        """Return whether a record is about something else than the error being handled."""
        err = sys.exception()
        if not isinstance(err, AWAY):
            return True
        self._outages.began(err)
        return False


@contextmanager
def rq_without(outages: Outages) -> Iterator[None]:
    """Let `outages` log what RQ would log of them."""
    logger, without = logging.getLogger("rq.worker"), _WithoutOutages(outages)
    logger.addFilter(without)
    try:
        yield
    finally:
        logger.removeFilter(without)


def worker_options() -> dict[str, Any]:
    """Return what every worker is made with, timeouts in seconds."""
    return {
        # RQ waits for a job 15 s less at a time: for so long a Redis that hangs goes unnoticed.
        "worker_ttl": 20,
        "job_monitoring_interval": 5,
        "maintenance_interval": 60,
        "default_result_ttl": 3600,
        "log_job_description": False,
    }
