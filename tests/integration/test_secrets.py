"""Which processes have which secrets in their environment, as the kernel shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.store import Store
from tests.integration.conftest import wait_for
from tests.integration.service import House
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

KEY = "a-key-that-only-the-front-end-has-8423"
HOOK_SECRET = "a-secret-that-only-workers-have-5190"  # noqa: S105 - of no service


def environment_of(pid: int) -> bytes:
    """Return what a process was started with; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_but_the_front_end_has_the_key(services, stock, tmp_path):
    """Neither the worker nor Valkey, though both are its children."""
    stock(tmp_path / "data")
    service = services(tmp_path, CATTERY_API_KEY=KEY, CATTERY_WEBHOOK_SECRET=HOOK_SECRET)
    service.wait_until_ready()
    worker = wait_for(lambda: service.pid_of("app.cli worker"), "the worker")
    valkey = wait_for(lambda: service.pid_of("valkey-server"), "Valkey")
    having = [pid for pid in service.processes() if KEY.encode() in environment_of(pid)]
    assert having == [service.process.pid]
    assert isinstance(worker, int)
    assert isinstance(valkey, int)
    assert HOOK_SECRET.encode() in environment_of(worker)
    assert HOOK_SECRET.encode() not in environment_of(valkey)
    assert KEY not in service.log


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_started_with_the_key_drops_it(tmp_path):
    """Front end and worker often share an environment file; so does a job process, in turn."""
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        given = {"CATTERY_DATA": str(tmp_path), "CATTERY_REDIS_URL": valkey.url}
        secrets = {"CATTERY_API_KEY": KEY, "CATTERY_WEBHOOK_SECRET": HOOK_SECRET}
        command = [sys.executable, "-P", "-m", "app.cli", "worker"]
        path = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, env=path | given | secrets)
        try:
            wait_for(lambda: b"CATTERY_DATA" in environment_of(process.pid), "a start")
            wait_for(lambda: KEY.encode() not in environment_of(process.pid), "a clean one")
            assert HOOK_SECRET.encode() in environment_of(process.pid)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_job_process_has_no_secret(tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        settings = WorkerSettings(data=tmp_path, redis_url=valkey.url, min_free_mb=0)
        house = House(settings, Store.open(settings.store_url))
        try:
            house.job(steps=1000)
            worker = house.worker(CATTERY_API_KEY=KEY, CATTERY_WEBHOOK_SECRET=HOOK_SECRET)
            environment = environment_of(house.child(worker))
        finally:
            house.close()
    assert b"CATTERY_DATA" in environment
    assert KEY.encode() not in environment
    assert HOOK_SECRET.encode() not in environment
