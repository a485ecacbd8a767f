"""How many CPU cores this process may use: of the machine, its affinity, and its container."""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return how many cores this process can keep busy, at least 1."""
    # Affinity includes the container's cpuset, but not its quota: with `docker run --cpus=2` on 32
    # cores, 32 threads would spend the quota in a sixteenth of each period and then be halted.
    affinity = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = cpu_quota()
    return affinity if quota is None else min(affinity, quota)


def cpu_quota(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Return how many whole cores the quotas of this process's control groups allow.

    Args:
        cgroups: Where the control groups are mounted, version 1 or 2.
        membership: The kernel's list of this process's groups.

    Returns:
        At least 1; None without a quota, and on systems without control groups.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    cores: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            cores += map(_quota, _upwards(cgroups, path, "cpu.max"))
        elif "cpu" in controllers.split(","):
            cores += map(_quota_v1, _upwards(cgroups / controllers, path, "cpu.cfs_quota_us"))
    tightest = min(cores, default=float("inf"))
    return None if tightest == float("inf") else max(1, int(tightest))


def _upwards(root: Path, path: str, name: str) -> Iterator[Path]:
    """Yield a file of a group and of those around it, whose quotas count as well."""
    group = root / path.strip("/")
    # In a container the path may be the host's; the container's own group is then the root.
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        if (folder / name).is_file():
            yield folder / name


def _quota(file: Path) -> float:
    quota, _, period = file.read_text().strip().partition(" ")
    return float("inf") if quota == "max" else int(quota) / int(period)


def _quota_v1(file: Path) -> float:
    quota = int(file.read_text())
    return (
        float("inf") if quota <= 0 else quota / int((file.parent / "cpu.cfs_period_us").read_text())
    )
