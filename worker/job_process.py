"""The job process: `python -m worker.job_process PARENT WORKER JOB EXECUTION`.

Settings, with the password in the Redis URL, come by environment variables, which only the same
user can read; arguments are visible to everybody.
"""

import signal
import sys

from rq.executions import Execution
from rq.job import Job

from worker.nice import lower_priority
from worker.parent_watch import signal_on_parents_death, watch_parent
from worker.queue import SERIALIZER, job_of, job_queue
from worker.redis_client import connect
from worker.rq_worker import CatteryWorker
from worker.settings import WorkerSettings
from worker.vitals import Reporter


def main() -> None:
    """Run the one RQ job named by the arguments, and end with the worker."""
    parent = int(sys.argv[1])
    name, job_id, execution_id = sys.argv[2:5]
    # Both: the kernel's signal is immediate but Linux only; the watch works everywhere.
    signal_on_parents_death(parent, signal.SIGKILL)
    watch_parent(parent)
    settings = WorkerSettings()
    lower_priority(settings.nice)
    redis = connect(settings.redis_url)
    worker = CatteryWorker(
        [job_queue(redis)],
        name=name,
        connection=redis,
        prepare_for_work=False,
        serializer=SERIALIZER,
    )
    job = Job.fetch(job_id, connection=redis, serializer=SERIALIZER)
    execution = Execution.fetch(execution_id, job_id, connection=redis)
    worker.execution = execution
    with Reporter(connect(settings.redis_url), name, settings.device, job_of(job_id)):
        worker.main_work_horse(job, job_queue(redis))


if __name__ == "__main__":
    main()
