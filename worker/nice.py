"""Lowers the priority of job processes, so that serving comes first."""

import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def lower_priority(nice: int, autogroup: Path = AUTOGROUP) -> None:
    """Lower this process's priority, and that of its scheduling group.

    A job process has a session of its own, and where Linux groups processes by
    session (`kernel.sched_autogroup_enabled`, on by default) a nice value counts
    only against the same session: by itself it would leave a job half of the
    machine. The group has a nice value too; an unprivileged process may raise it.

    Args:
        nice: 0 (changes nothing) to 19 (lowest priority).
        autogroup: The kernel's file for this process's group.
    """
    os.nice(nice)
    try:
        autogroup.write_text(str(nice))
    except OSError:
        return  # not Linux, grouping switched off, or asked too often: nice alone must do
