import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.nice import AUTOGROUP

STAND_BACK = (
    "import os; from pathlib import Path; from worker.nice import lower_priority; os.setsid();"
    "lower_priority(7); print(os.nice(0));"
    "p = Path('/proc/self/autogroup'); print(p.read_text() if p.exists() else 'none')"
)


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_job_process_is_niced_and_its_session_where_the_kernel_groups_by_it() -> None:
    """Against its own session, and against the front end, which has another one."""
    nice, group = _printed(STAND_BACK).splitlines()
    assert nice == "7"
    assert group.endswith("nice 7") or not AUTOGROUP.exists()


def test_a_kernel_without_groups_is_no_obstacle(tmp_path: Path) -> None:
    missing = str(tmp_path / "no" / "file")
    code = (
        "from pathlib import Path; from worker.nice import lower_priority;"
        f"lower_priority(3, Path({missing!r}))"
    )
    assert _printed(code) == ""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="needs Linux")
def test_an_idle_process_has_idle_children() -> None:
    child = (
        "import os; from worker.nice import AUTOGROUP;"
        "group = AUTOGROUP.read_text() if AUTOGROUP.exists() else 'nice 19';"
        "print(os.sched_getscheduler(0) == os.SCHED_IDLE, os.nice(0), group.strip()[-7:])"
    )
    code = (
        "import os, subprocess, sys; from worker.nice import run_when_idle; os.setsid();"
        f"run_when_idle(); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert _printed(code) == "True 19 nice 19"
