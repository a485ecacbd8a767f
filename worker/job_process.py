"""The job process: `python -m worker.job_process PARENT WORKER JOB EXECUTION`.

Settings, with the password in the Redis URL, come by environment variables, which only the same
user can read; arguments are visible to everybody.
"""

import logging
import signal
import sys

from rq.executions import Execution
from rq.job import Job

from worker.logs import log_to_stderr
from worker.nice import lower_priority
from worker.parent_watch import signal_on_parents_death, watch_parent
from worker.queue import REQUEST, SERIALIZER, job_of, job_queue
from worker.redis_client import AWAY, Outages, connect, reason_of
from worker.rq_worker import CatteryWorker, rq_without
from worker.settings import WorkerSettings
from worker.vitals import Reporter

log = logging.getLogger(__name__)


def main() -> None:
    """Run the one RQ job named by the arguments, and end with the worker."""
    parent = int(sys.argv[1])
    name, job_id, execution_id = sys.argv[2:5]
    # Both: the kernel's signal is immediate but Linux only; the watch works everywhere.
    signal_on_parents_death(parent, signal.SIGKILL)
    watch_parent(parent)
    settings = WorkerSettings()
    log_to_stderr(settings, job_of(job_id))
    lower_priority(settings.nice)
    try:
        _run(settings, name, job_id, execution_id)
    except AWAY as err:  # the reaper queues the job again
        log.warning("Job %s did not start: Redis is unavailable, %s.", job_id, reason_of(err))
        sys.exit(1)


def _run(settings: WorkerSettings, name: str, job_id: str, execution_id: str) -> None:
    redis = connect(settings.redis_url)
    worker = CatteryWorker(
        [job_queue(redis)],
        name=name,
        connection=redis,
        prepare_for_work=False,
        worker_ttl=1,  # it waits for no job: see `CatteryWorker.connection_timeout`
        serializer=SERIALIZER,
    )
    job = Job.fetch(job_id, connection=redis, serializer=SERIALIZER)
    log_to_stderr(settings, job_of(job_id), job.meta.get(REQUEST) or "")
    execution = Execution.fetch(execution_id, job_id, connection=redis)
    worker.execution, worker.outages = execution, Outages(f"Job {job_id}")
    reporter = Reporter(connect(settings.redis_url), name, settings.device, job_of(job_id))
    with rq_without(worker.outages), reporter:
        worker.main_work_horse(job, job_queue(redis))  # exits


if __name__ == "__main__":
    main()
