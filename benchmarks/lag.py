"""Measure whether a saturated front end breathes: lag, health checks, refusals, and memory.

wrk asks for more than can be made. Meanwhile a client asks for `/healthz` up to fifty times a
second, each time as a load balancer does, on a connection of its own; and where the queue is full
another one asks for 64 cats and notes how soon it is told no. The event loop's lag is the
service's own histogram, so a time is the upper edge of a bucket. At last 256 clients who have
kept still ask for 64 cats each in the same moment. Clients and service share the cores.

Aims: p99 of the lag below 50 ms, a refusal told within 50 ms.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.serving import cattery
from benchmarks.serving.cases import CASES
from benchmarks.serving.client import TIMEOUT_S, Client, Load, ask, find_wrk
from benchmarks.serving.contenders import CATTERY, ROOT, SEED, Call
from benchmarks.serving.processes import Running, adopt_orphans, free_port, running
from benchmarks.serving.servers.painting import Instructions
from benchmarks.serving.weights import untrained_weights

ONE = CATTERY.call(CASES["one"])
MANY = Call(path=f"/cats?seed={SEED}&n=64")
HEALTH = Call(path="/healthz")
CROWD = 256
LOOK_S = 0.02
OWN_SEEDS = 2**52
"""From here on, where wrk does not ask."""

LAG = "cattery_loop_lag_seconds_bucket"
ROW = "{:24}  {:>20}  {:>20}  {:>20}  {:>7}  {:>6}"


@dataclass(frozen=True, slots=True)
class Phase:
    """A load.

    Attributes:
        title: What it is, for the table.
        call: What is asked.
        images: Cats a request.
        clients: How many ask, each for one answer at a time.
        is_refused: Whether they ask for more than may wait; who is refused asks again at once,
            though told to wait.
    """

    title: str
    call: Call
    images: int
    clients: int
    is_refused: bool = False


PHASES = (
    Phase("one cat, 32 clients", ONE, 1, 32),
    Phase("one cat, 256 clients", ONE, 1, CROWD),
    Phase("sheets of 16, 32 clients", CATTERY.call(CASES["sheet"]), 16, 32),
    Phase("64 cats, 256 clients", MANY, 64, CROWD, is_refused=True),
)


def main() -> None:
    """Run all phases and print a line for each."""
    told = _arguments()
    adopt_orphans()
    client = Client(find_wrk(told.wrk, None), os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory(prefix="cattery-lag-") as folder,
        _service(Path(folder), told) as (server, port),
    ):
        client.load(port, ONE, 32, told.seconds / 3)
        print("p50 / p99 / longest in milliseconds; the lag is at most so long")
        print(ROW.format("", "lag", "/healthz", "503", "cats/s", "errors"))
        for phase in PHASES:
            print(_measured(port, client, phase, told.seconds), flush=True)
            ask(port, ONE.of(OWN_SEEDS))  # what the last clients left is worked off
        refused_ms = asyncio.run(_burst(port, told.seconds))
        print(ROW.format("64 cats, 256 at once", "", "", _said(refused_ms), "", "").rstrip())
        print(f"peak memory: {server.peak_bytes / 1e6:.0f} MB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of each load")
    parser.add_argument("--width", type=int, default=64, help="of the untrained generator")
    parser.add_argument("--size", type=int, default=64, help="of its pictures, pixels")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--wrk", type=Path, help="the load generator, if it is not on the path")
    return parser.parse_args()


@contextmanager
def _service(folder: Path, told: argparse.Namespace) -> Iterator[tuple[Running, int]]:
    """Start Cattery with an untrained generator."""
    python, port, cores = Path(sys.executable), free_port(), os.sched_getaffinity(0)
    settings = cattery.variables(folder / "data", told.device)
    cattery.put_into_service(python, untrained_weights(folder, told.width, told.size), settings)
    instructions = Instructions(
        weights="", port=port, device=told.device, workers=1, cores=len(cores)
    )
    with running(CATTERY.command(python, instructions), cores, settings, ROOT) as server:
        server.wait_until(lambda: ask(port, ONE.of(0), 5), "the first cat")
        yield server, port


def _measured(port: int, client: Client, phase: Phase, seconds: float) -> str:
    """Load the service and return a line of what was seen meanwhile."""
    before = _lags(port)
    with (
        _asking(port, HEALTH, 200) as health_ms,
        _asking(port, MANY, 503, is_on=phase.is_refused) as refused_ms,
    ):
        load = client.load(port, phase.call, phase.clients, seconds, step=phase.images)
    lags = _lags_between(before, _lags(port))
    return _line(phase, load, lags, health_ms, refused_ms)


def _line(phase: Phase, load: Load, *times_ms: Sequence[float]) -> str:
    cats_per_s = round(load.good_per_s * phase.images)
    errors = load.broken if phase.is_refused else load.errors
    return ROW.format(phase.title, *map(_said, times_ms), cats_per_s, errors)


def _said(times_ms: Sequence[float]) -> str:
    """Return median, 99th percentile and maximum; nothing of nothing."""
    if not times_ms:
        return ""
    # Of a histogram's edges, one that was seen: there is nothing between two of them.
    marks = np.percentile(times_ms, [50, 99, 100], method="higher")
    return " / ".join(f"{mark:.1f}" for mark in marks)


@contextmanager
def _asking(port: int, call: Call, status: int, *, is_on: bool = True) -> Iterator[list[float]]:
    """Ask again and again; yield how long answers of a status took so far, milliseconds."""
    times_ms: list[float] = []
    is_over = threading.Event()
    asker = threading.Thread(target=_ask, args=(port, call, status, times_ms, is_over), daemon=True)
    if is_on:
        asker.start()
    try:
        yield times_ms
    finally:
        is_over.set()
        if is_on:
            asker.join()


def _ask(
    port: int, call: Call, status: int, times_ms: list[float], is_over: threading.Event
) -> None:
    seed = OWN_SEEDS
    while not is_over.wait(LOOK_S):
        seed += 64
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        with suppress(OSError, HTTPException):
            connection.request("GET", call.of(seed).path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == status:
                times_ms.append(1000 * (time.perf_counter() - began))
        connection.close()


async def _burst(port: int, seconds: float) -> list[float]:
    """Ask for 64 cats with all clients at once; return when refusals came, milliseconds."""
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CROWD)]
    began = time.perf_counter()

    async def refused_ms(number: int) -> float | None:
        reader, writer = crowd[number]
        path = MANY.of(OWN_SEEDS + 2**20 * number).path
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        head = await reader.readline()
        return 1000 * (time.perf_counter() - began) if b" 503 " in head else None

    tasks = [asyncio.create_task(refused_ms(number)) for number in range(CROWD)]
    done, waiting = await asyncio.wait(tasks, timeout=seconds)
    for task in waiting:
        task.cancel()
    for _, writer in crowd:
        writer.close()
    return [taken for task in done if (taken := task.result()) is not None]


def _lags(port: int) -> dict[float, float]:
    """Return how often the event loop was late, by the bucket's upper edge in seconds."""
    text = (ask(port, Call(path="/metrics")) or b"").decode()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    upto = {float(each.labels["le"]): each.value for each in samples if each.name == LAG}
    edges = sorted(upto)
    below = [0.0, *(upto[edge] for edge in edges)]
    return {edge: upto[edge] - less for edge, less in zip(edges, below, strict=False)}


def _lags_between(before: dict[float, float], after: dict[float, float]) -> list[float]:
    """Return a time for each look at the event loop between two readings, milliseconds."""
    counts = {edge: round(count - before.get(edge, 0.0)) for edge, count in after.items()}
    return [1000 * edge for edge, count in counts.items() for _ in range(count)]


if __name__ == "__main__":
    main()
