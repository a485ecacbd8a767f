"""Lowers the priority of job processes below that of serving."""

import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def run_when_idle() -> None:
    """Let this process and its future children use only otherwise idle CPU time.

    Linux has a scheduling policy for that; elsewhere this is the lowest priority.
    """
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    lower_priority(19)  # the policy too applies only within the session


def lower_priority(nice: int, autogroup: Path = AUTOGROUP) -> None:
    """Lower this process's priority, and that of its scheduling group.

    A job process has its own session, and where Linux groups processes by session
    (`kernel.sched_autogroup_enabled`, on by default) a nice value applies only within the
    session: by itself it would leave a job half of the machine. The group has a nice value
    too, which an unprivileged process may raise.

    Args:
        nice: 0 (changes nothing) to 19 (lowest priority).
        autogroup: The kernel's file for this process's group.
    """
    os.nice(nice)
    try:
        autogroup.write_text(str(nice))
    except OSError:
        return  # not Linux, grouping off, or changed too often: nice alone must do
