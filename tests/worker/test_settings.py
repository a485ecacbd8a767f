"""The worker's settings on their way into a job process."""

from pathlib import Path

import pytest

from worker.errors import RedisUrlMissing
from worker.redis_client import connect
from worker.settings import WorkerSettings


@pytest.mark.parametrize("threads", [None, 3])
def test_a_job_process_has_the_settings_of_its_worker(monkeypatch, tmp_path: Path, threads):
    """Whatever the worker was made with arrives through the environment, unset values too."""
    url = "rediss://:p%40ss@example.org:6380/2"
    more: dict = {"threads": threads, "checkpoint_s": 1.5, "min_free_mb": 7, "redis_url": url}
    settings = WorkerSettings(data=tmp_path / "with space", store="s3://cats/here", **more)
    monkeypatch.setenv("CATTERY_DATA", "something else")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert WorkerSettings() == settings


def test_a_missing_url_names_the_setting():
    with pytest.raises(RedisUrlMissing, match=r"CATTERY_REDIS_URL.*cattery serve"):
        connect("")
