"""One command brings everything up, keeps it up, and leaves nothing behind."""

import io
import os
import signal
import stat

import httpx
import pytest
from PIL import Image

from models.store import Store
from models.store.records import JobKind, JobStatus
from tests.integration.conftest import wait_for
from tests.records import training_order
from worker.redis_client import connect
from worker.valkey import EmbeddedValkey

HEALED_WITHIN_S = 30.0
OPEN_REQUESTS_S = 9.0
"""Below `app.cli.serve.GRACE_S`, after which open requests are cut off."""


@pytest.fixture(scope="module")
def running(services, stock, tmp_path_factory):
    """A service that is ready, for all tests that leave it running."""
    folder = tmp_path_factory.mktemp("running")
    stock(folder / "data")
    return services(folder).wait_until_ready()


@pytest.fixture
def fresh(services, stock, tmp_path):
    """A service of this test's own, which may still be starting."""
    stock(tmp_path / "data")
    return services(tmp_path)


def test_it_says_what_to_try_and_answers_with_cats(running):
    """The terminal shows the address and a line to copy, whose request works."""
    request = running.wait_for_line(r"curl -o cats.png '([^']+)'")
    assert request.startswith(running.url)
    assert httpx.get(request, timeout=30).status_code == 200
    answer = running.get("/cats?model=dcgan&n=16")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (256, 256)


def test_its_queue_is_private(running):
    """Valkey listens on a unix socket that only this user can open."""
    sockets = [p for p in running.data.rglob("*") if p.is_socket()]
    assert [stat.S_IMODE(p.stat().st_mode) for p in sockets] == [0o700]


def test_a_power_cut_that_damaged_the_queue_is_told_and_costs_nothing(services, stock, tmp_path):
    """Zeros at the end of Valkey's file: cats are served, and the job is queued from the store."""
    stock(tmp_path / "data")
    with EmbeddedValkey(tmp_path / "data" / "valkey") as valkey, connect(valkey.url) as client:
        client.set("a", "b")
    (file,) = (tmp_path / "data" / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes() + bytes(512))
    store = Store.open(str(tmp_path / "data" / "store"))
    job, _ = store.jobs.create(JobKind.TRAIN, training_order())
    service = services(tmp_path, CATTERY_MIN_FREE_MB=str(2**40)).wait_until_ready()
    ready = service.get("/readyz")
    assert ready.status_code == 200
    assert "valkey/damaged" in ready.json()["checks"]["queue"]
    assert "valkey/damaged" in service.log
    assert service.get("/cats?seed=7").status_code == 200
    wait_for(lambda: store.jobs.get(job.id).status is JobStatus.FAILED, "the job is taken up")
    assert "CATTERY_MIN_FREE_MB" in (store.jobs.get(job.id).reason or "")


def test_a_second_start_on_the_same_folder_is_refused(running, services):
    second = services(running.folder)
    assert second.wait_for_end() == 1
    expected = f"Error: Cattery is already running on {running.url} (pid {running.process.pid})."
    assert second.log.startswith(expected)
    assert second.log.count("\n") == 1


def test_a_taken_port_is_one_line(running, services, tmp_path):
    port = running.url.rpartition(":")[2]
    second = services(tmp_path, CATTERY_PORT=port)
    assert second.wait_for_end() == 1
    assert second.log.startswith(f"Error: Port {port} of 127.0.0.1 is in use")
    assert second.log.count("\n") == 1


def test_it_does_not_open_to_strangers_without_a_key(services, tmp_path):
    """Bound to all addresses without CATTERY_API_KEY, it refuses to start and says why."""
    service = services(tmp_path, CATTERY_HOST="0.0.0.0")  # noqa: S104 - refused
    assert service.wait_for_end() == 1
    assert "CATTERY_API_KEY" in service.log
    assert service.log.count("\n") == 1


@pytest.mark.parametrize("words", ["app.cli worker", "valkey-server"])
def test_what_dies_comes_back(running, words):
    killed = wait_for(lambda: running.pid_of(words), words)
    assert isinstance(killed, int)
    os.kill(killed, signal.SIGKILL)
    assert running.get("/cats?model=dcgan").status_code == 200
    wait_for(lambda: running.pid_of(words) not in (None, killed), "a new one", HEALED_WITHIN_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it(fresh, number):
    """Ctrl-C and SIGTERM leave no process and no half-written file, and count as success."""
    fresh.wait_until_ready()
    assert fresh.get("/cats?model=dcgan").status_code == 200
    wait_for(lambda: fresh.pid_of("app.cli worker"), "the worker")
    fresh.process.send_signal(number)
    assert fresh.wait_for_end() == 0
    assert fresh.processes() == {}
    assert fresh.unfinished_files() == []
    assert "Traceback" not in fresh.log


def test_a_signal_while_it_starts_ends_all_of_it(fresh):
    fresh.wait_for_line("starting on")
    fresh.process.send_signal(signal.SIGTERM)
    assert fresh.wait_for_end() == 0
    assert fresh.processes() == {}
    assert "Ready after" not in fresh.log


def test_open_connections_do_not_keep_it_from_ending(fresh):
    """Clients that idle, or follow a job that does nothing, hold up the end for no second."""
    jobs = Store(str(fresh.data / "store")).jobs
    record, _ = jobs.create(JobKind.TRAIN, training_order(), runner="cli")  # no worker takes it
    fresh.wait_until_ready()
    with (
        httpx.Client(base_url=fresh.url, timeout=30) as idler,
        httpx.stream("GET", f"{fresh.url}/jobs/{record.id}/events", timeout=30) as events,
    ):
        idler.get("/healthz").raise_for_status()
        assert next(events.iter_lines()) == "id: 1"
        fresh.process.send_signal(signal.SIGTERM)
        assert fresh.wait_for_end(OPEN_REQUESTS_S) == 0
    assert "Traceback" not in fresh.log


def test_a_killed_supervisor_leaves_no_process_and_can_start_again(fresh, services):
    """SIGKILL gives it no chance to tidy up, but its children end by themselves within 10 s.

    What it left behind, lock and socket, does not keep the next from starting.
    """
    fresh.wait_until_ready()
    wait_for(lambda: fresh.pid_of("app.cli worker"), "the worker")
    fresh.process.kill()
    fresh.process.wait()
    wait_for(lambda: fresh.processes() == {}, "all processes to end", 10.0)
    again = services(fresh.folder).wait_until_ready()
    assert again.get("/cats?model=dcgan").status_code == 200
