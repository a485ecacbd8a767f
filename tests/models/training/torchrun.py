"""Two real processes that know of each other, as `torchrun` starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 240.0
GRACE_S = 40.0
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def run_two(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module in two processes that know of each other; none of them outlives the call."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}  # noqa: TID251 - handed on
    process = subprocess.Popen(
        [sys.executable, *TORCHRUN, *command],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        _end(process)
    return subprocess.CompletedProcess(command, process.returncode, said)


def _end(process: subprocess.Popen[str]) -> None:
    """End torchrun if it runs still; it ends its own processes, which are in sessions of theirs."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
