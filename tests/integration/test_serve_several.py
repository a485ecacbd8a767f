"""`cattery serve` with two front ends is one service to its clients, whichever one answers."""

import os
import signal
import socket
from pathlib import Path

import httpx
import pytest
import torch

from models.inference.checkpoints import save_generator
from models.networks import NETWORKS
from models.publishing.transfer import import_version
from models.store import Store
from models.store.records import Budget, JobKind, TrainingOrder
from tests.integration.conftest import wait_for

HEALED_WITHIN_S = 30.0
HEARD_WITHIN_S = 10.0
"""Far below CATTERY_WATCH_S: what is seen by then was announced."""

CALLERS = 8
FRONT_ENDS = range(2)


@pytest.fixture(scope="module")
def card(tmp_path_factory, stock):
    """Return the card of what is in service."""
    return stock(tmp_path_factory.getbasetemp() / "several" / "data")


@pytest.fixture(scope="module")
def running(services, card, tmp_path_factory):
    """A service with two front ends that hear of promotions, and do not look for themselves."""
    folder = tmp_path_factory.getbasetemp() / "several"
    return services(folder, CATTERY_PROCESSES="2", CATTERY_WATCH_S="3600").wait_until_ready()


def answers_of(service, path) -> list[httpx.Response]:
    """Return the answers of some connections that are open at the same time."""
    callers = [httpx.Client(base_url=service.url, timeout=30) for _ in range(CALLERS)]
    answers = [caller.get(path) for caller in callers]
    for caller in callers:
        caller.close()
    return answers


def bodies_of(service, path) -> set[bytes]:
    """Return the different bodies of answers that both front ends had a part in."""
    before = [answered(service, number) for number in FRONT_ENDS]
    found = set()

    def both() -> bool:
        answers = answers_of(service, path)
        found.update(answer.raise_for_status().content for answer in answers)
        return all(answered(service, n) > before[n] for n in FRONT_ENDS)

    wait_for(both, "both front ends to answer")
    return found


def answered(service, number: int) -> int:
    """Return how many answers a front end has sent since it was started, by its own figures."""
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(service.data / "sockets" / f"figures-of-{number}"))
            return total(caller.makefile().read())
    except ConnectionError:  # it is being started
        return 0


def total(figures: str) -> int:
    """Return how many answers with 200 figures tell of."""
    lines = [line for line in figures.splitlines() if line.startswith("cattery_requests_total")]
    return sum(int(float(line.split()[-1])) for line in lines if 'status="200"' in line)


def cat_of(card) -> str:
    """Return a permalink."""
    return f"/cats/dcgan@{card.version}/7.png"


def test_both_answer_with_the_same_bytes(running, card):
    """A permalink is the same cat from every front end."""
    assert len(bodies_of(running, cat_of(card))) == 1


def test_metrics_are_of_all(running):
    """Whoever is asked tells the sum of what every one has sent."""
    for answer in answers_of(running, "/metrics"):
        assert "cattery_processes 3.0" in answer.text
    expected = sum(answered(running, number) for number in FRONT_ENDS)
    assert total(running.get("/metrics").text) == expected


def test_the_supervisor_stays_small(running):
    """It only watches: PyTorch is in the memory of the others alone."""
    maps = Path(f"/proc/{running.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "python" in maps


def test_a_job_can_be_followed_at_any(running):
    """A job's view and events are read from the store, whoever was asked to make it."""
    order = TrainingOrder(
        recipe="dcgan", dataset="cats", model="dcgan", size_px=64, budget=Budget(kimg=1.0)
    )
    jobs = Store(str(running.data / "store")).jobs
    record, _ = jobs.create(JobKind.TRAIN, order, runner="cli")  # no worker takes it
    assert len(bodies_of(running, f"/jobs/{record.id}")) == 1
    for _ in range(CALLERS):
        with httpx.stream("GET", f"{running.url}/jobs/{record.id}/events", timeout=30) as events:
            assert next(events.iter_lines()) == "id: 1"


def test_a_killed_engine_host_comes_back_with_the_same_cats(running, card):
    """Requests meanwhile wait; the bytes are those from before."""
    path = cat_of(card).replace("/7.", "/8.")
    before = bodies_of(running, path)
    killed = running.pid_of("engine-host")
    os.kill(killed, signal.SIGKILL)
    new = path.replace("/8.", "/9.")  # no front end remembers this one
    assert len(bodies_of(running, new)) == 1
    assert bodies_of(running, path) == before
    assert running.pid_of("engine-host") not in (None, killed)


def test_a_killed_front_end_comes_back_and_nobody_is_refused(running, card):
    """Who connects while it is started again waits, and has the same cat as ever."""
    before = running.get(cat_of(card)).content
    killed = running.pid_of("--number 0")
    os.kill(killed, signal.SIGKILL)
    assert bodies_of(running, cat_of(card)) == {before}
    assert running.pid_of("--number 0") not in (None, killed)


def test_a_promotion_reaches_all(running):
    """What one front end is told to serve, the other one serves as well."""
    network = NETWORKS["dcgan"]
    config = network.config(size_px=64, z_dim=16, width=8)
    torch.manual_seed(2)
    weights = save_generator(network.generator(config).eval(), kind="dcgan", config=config)
    store = Store(str(running.data / "store"))
    version = import_version(store, "dcgan", weights).version
    body = {"version": version}
    httpx.post(f"{running.url}/models/dcgan/promote", json=body, timeout=30).raise_for_status()

    def all_serve_it() -> bool:
        answers = answers_of(running, "/cats?model=dcgan&n=1&seed=1")
        return all(version in answer.headers["content-location"] for answer in answers)

    wait_for(all_serve_it, "both front ends to follow", HEARD_WITHIN_S)


def test_a_killed_supervisor_leaves_no_process(running):
    """SIGKILL gives it no chance to tidy up; front ends and host end by themselves."""
    running.process.kill()
    running.process.wait()
    wait_for(lambda: running.processes() == {}, "all processes to end", HEALED_WITHIN_S)


def test_a_signal_ends_all_of_it(running, services):
    """It starts where a kill has left sockets, and a signal leaves no process and no socket."""
    again = services(running.folder, CATTERY_PROCESSES="2").wait_until_ready()
    assert again.get("/cats?model=dcgan").status_code == 200
    again.process.send_signal(signal.SIGINT)
    assert again.wait_for_end() == 0
    assert again.processes() == {}
    assert not (again.data / "sockets").exists()
    assert "Traceback" not in again.log
