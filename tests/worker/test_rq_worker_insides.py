"""The insides of RQ that worker.rq_worker and worker.job_process rely upon: why it is pinned."""

import inspect
import sys

import pytest
from rq.executions import Execution
from rq.worker import SpawnWorker

from worker.rq_worker import CatteryWorker

OVERRIDDEN = (
    "execute_job(self, job, queue)",
    "fork_work_horse(self, job, queue)",
    "handle_warm_shutdown_request(self)",
    "set_shutdown_requested_date(self)",
    "subscribe(self)",
    "heartbeat(self, timeout, pipeline)",
    "maintain_heartbeats(self, job, execution)",
    "teardown(self)",
)


@pytest.mark.parametrize("signature", OVERRIDDEN)
def test_rq_has_the_methods_that_are_overridden(signature):
    """An override of what RQ no longer calls would silently do nothing."""
    name = signature.partition("(")[0]
    assert name in vars(CatteryWorker)
    parameters = inspect.signature(getattr(SpawnWorker, name)).parameters
    assert f"{name}({', '.join(parameters)})" == signature


def test_rq_has_the_state_that_is_read_and_set():
    for name in ("horse_pid", "dequeue_timeout", "connection_timeout"):
        assert isinstance(getattr(SpawnWorker, name), property)
    assert "self.connection_timeout" in inspect.getsource(SpawnWorker._set_connection)
    assert hasattr(SpawnWorker, "max_connection_wait_time")
    source = inspect.getsource(sys.modules[SpawnWorker.work.__module__])
    for name in ("_horse_pid", "_stop_requested", "executions"):
        assert f"self.{name}" in source, name


def test_rq_can_run_a_job_in_a_process_of_ours():
    """The job process does what RQ's own, made of source text, does."""
    assert [*inspect.signature(SpawnWorker.main_work_horse).parameters] == ["self", "job", "queue"]
    assert {"id", "job_id", "connection"} <= set(inspect.signature(Execution.fetch).parameters)
    assert "worker.main_work_horse(job, queue)" in inspect.getsource(SpawnWorker.fork_work_horse)
