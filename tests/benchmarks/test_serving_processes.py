"""Servers as processes: where they run and that nothing of them is left."""

import os
import signal
import subprocess
import sys

from benchmarks.serving.processes import pinned, running, tree
from tests.worker.waiting import is_running

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_what_is_started_while_pinned_runs_on_those_cores_only():
    before = os.sched_getaffinity(0)
    core = min(before)
    with pinned([core]):
        code = "import os; print(os.sched_getaffinity(0))"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert said.decode().strip() == str({core})
    assert os.sched_getaffinity(0) == before


def test_a_server_ends_with_all_that_it_started(tmp_path):
    """Its child, too, though it was never told to; its memory was counted meanwhile."""
    with running([sys.executable, "-c", PARENT], [0], {}, tmp_path) as server:
        server.wait_until(lambda: server.said().strip().isdecimal(), "the child's number")
        child = int(server.said())
        server.wait_until(lambda: server.peak_bytes > 0, "a look at the memory")
        assert tree(server.process.pid) == {server.process.pid, child}
        assert server.now_bytes() > 1e6
        assert 0 <= server.used_s() < 60
    assert server.process.returncode == -signal.SIGTERM
    assert not is_running(child)
