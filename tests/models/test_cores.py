"""Tests of models.cores."""

import os

import pytest

from models import cores
from models.cores import cpu_quota, usable_cores


@pytest.fixture
def group(tmp_path):
    """Return what writes files of control groups, and reads the quota of a member."""

    def quota_of(membership: str, **files: str) -> int | None:
        for path, text in files.items():
            file = tmp_path / "cgroup" / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / file.name.replace("_", ".", 1)).write_text(text)
        (tmp_path / "self").write_text(membership)
        return cpu_quota(tmp_path / "cgroup", tmp_path / "self")

    return quota_of


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
    ],
)
def test_the_quota_of_a_container_is_rounded_down_to_whole_cores(group, text, cores):
    """`docker run --cpus=2` on 32 cores; a fraction of a core would be throttled."""
    assert group("0::/\n", cpu_max=text) == cores


def test_the_tightest_of_the_groups_around_counts(group):
    files = {"cpu_max": "max 100000", "pod__cpu_max": "300000 100000"}
    assert group("0::/pod/box\n", **files, pod__box__cpu_max="800000 100000") == 3
    assert group("0::/pod/box\n", pod__box__cpu_max="100000 100000") == 1


def test_a_path_of_the_host_means_the_containers_own_group(group):
    assert group("0::/system.slice/docker-1234.scope\n", cpu_max="400000 100000") == 4


def test_version_1_has_files_of_its_own(group):
    """There the quota is negative where there is none."""
    member = "12:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n"
    period = {"cpu,cpuacct__box__cpu_cfs_period_us": "100000\n"}
    assert group(member, **period, **{"cpu,cpuacct__box__cpu_cfs_quota_us": "-1\n"}) is None
    assert group(member, **{"cpu,cpuacct__box__cpu_cfs_quota_us": "150000\n"}) == 1


def test_without_control_groups_there_is_no_quota(tmp_path, group):
    assert cpu_quota(tmp_path, tmp_path / "none") is None
    assert group("0::/\n") is None


@pytest.mark.parametrize(("quota", "usable"), [(None, 8), (3, 3), (16, 8)])
def test_affinity_and_quota_both_count(monkeypatch, quota, usable):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert usable_cores() == usable
