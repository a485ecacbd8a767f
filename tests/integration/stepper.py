"""A stand-in for `models.jobs.training_job` that steps with sleeps, and a worker that uses it.

`python -m tests.integration.stepper` is that worker; its job processes run this module too.
"""

import os
import sys
import time
import types

import worker.job_process
import worker.main
from models.errors import LeaseLost
from models.store.journal import StopReason
from models.store.names import timestamp
from models.store.records import JobStatus, Phase, Progress
from worker.rq_worker import CatteryWorker
from worker.settings import WorkerSettings

STEP_S = 0.02
STEPS_PER_KIMG = 100
CHECKPOINT_STEPS = 10


class Run:
    """One run of a job that counts to its budget and traces every step."""

    def __init__(self, record, store, cache, lease, should_stop):
        self.jobs = store.jobs
        self.state = store.jobs.state(record.id)
        self.step = int(self.state.newest("step") or 0)
        self.epoch = self.state.take()
        self.lease, self.should_stop = lease, should_stop
        self.trace = cache.parent / "trace"
        self.record = record
        self.change("started", status=JobStatus.STARTED, phase=Phase.TRAINING, pid=os.getpid())

    def change(self, event, pid=None, **changes):
        """Change the record."""
        data = {"step": self.step, "pid": pid}
        self.record = self.jobs.change(self.record, event, data, **changes)

    def steps(self):
        """Step until the budget is used up, or somebody wants it to stop."""
        while self.step < self.record.order["budget"]["kimg"] * STEPS_PER_KIMG:
            if not self.lease():
                raise LeaseLost(self.record.id)
            if reason := self.should_stop():
                return reason
            time.sleep(STEP_S)
            self.step += 1
            with self.trace.open("a") as trace:
                trace.write(f"{os.getpid()} {os.getppid()} {os.nice(0)} {self.step}\n")
            if self.step % CHECKPOINT_STEPS == 0:
                self.save()
        return None

    def save(self):
        """Save the state and the progress."""
        self.state.write(self.epoch, "step", str(self.step).encode())
        kimg = self.step / STEPS_PER_KIMG
        self.change("progress", progress=Progress(kimg=kimg, step=self.step))

    def finish(self, reason, announce):
        """Write down how it ended."""
        self.save()
        if reason is StopReason.PAUSE:
            status, event = JobStatus.QUEUED, "paused"
        elif reason is StopReason.CANCEL:
            status, event = JobStatus.CANCELED, "canceled"
        else:
            status, event = JobStatus.FINISHED, "finished"
            announce(self.record.order["model"])
        ended_at = timestamp() if status.has_ended else None
        self.change(event, status=status, phase=None, ended_at=ended_at)
        return self.record


def run_training(record, context, *, lease, should_stop, announce):
    """As in `models.jobs.training_job`, but counting."""
    run = Run(record, context.store, context.cache, lease, should_stop)
    return run.finish(run.steps(), announce)


class SteppingWorker(CatteryWorker):
    """A worker whose job processes run this module."""

    child_module = "tests.integration.stepper"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        from tests.integration import stepper  # importable, as RQ wants its classes to be

        sys.exit(worker.main.main(WorkerSettings(), stepper.SteppingWorker))
    time.sleep(float(os.environ.get("STEPPER_START_S", "0")))  # noqa: TID251 - a slow start
    # Neither module is imported, for they bring torch, which takes seconds at every start.
    job, context = (types.ModuleType(f"models.jobs.{name}") for name in ("training_job", "context"))
    vars(job).update(run_training=run_training)
    vars(context).update(JobContext=types.SimpleNamespace)
    sys.modules |= {module.__name__: module for module in (job, context)}
    worker.job_process.main()
