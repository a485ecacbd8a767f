"""Ask for cats and swap versions for a long time: errors, p99 and memory before, during, after.

Clients ask for one cat after another, no seed twice, while versions of one model take turns in
service. Only one version is kept warm beside the serving one, so every swap loads, checks and
warms a generator under load. Memory is the resident memory of all of the service's processes;
its growth is counted from the end of the phase before the swaps, when each version has served
once already, to the end of the phase after them.

Aims, for 100,000 requests and 200 swaps: no error, p99 during swaps within twice the steady one,
memory growth below 64 MB. Smaller numbers of both are pieces of that.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.serving import cattery
from benchmarks.serving.cases import CASES
from benchmarks.serving.client import Client, Load, ask, find_wrk
from benchmarks.serving.contenders import CATTERY, ROOT, Call
from benchmarks.serving.processes import Running, adopt_orphans, free_port, running
from benchmarks.serving.servers.painting import Instructions
from benchmarks.serving.weights import untrained_weights

VERSIONS = 3
SLICE_S = 5.0
"""Between two looks at the memory."""


def main() -> None:
    """Run the three phases and print what they came to."""
    told = _arguments()
    adopt_orphans()
    client = Client(find_wrk(told.wrk, None), os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory(prefix="cattery-soak-") as folder,
        several_versions(Path(folder), told.width, told.size, told.device) as started,
    ):
        Soak(*started, client, told).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="while versions swap")
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30, help="of the phases around the swaps")
    parser.add_argument("--width", type=int, default=64, help="of the untrained generators")
    parser.add_argument("--size", type=int, default=64, help="of their pictures, pixels")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--wrk", type=Path, help="the load generator, if it is not on the path")
    return parser.parse_args()


@contextmanager
def several_versions(
    folder: Path, width: int, size_px: int, device: str = "cpu", **settings: str
) -> Iterator[tuple[Running, int, list[str]]]:
    """Start Cattery with several versions of one model, one of which is kept beside the serving.

    Args:
        folder: For its data.
        width: Of the untrained generators.
        size_px: Of their pictures.
        device: That renders.
        **settings: Further variables.

    Yields:
        The service, its port and the versions.
    """
    python = Path(sys.executable)
    settings |= cattery.variables(folder / "data", device) | {"CATTERY_KEEP_VERSIONS": "1"}
    versions = []
    for number in range(VERSIONS):
        weights = untrained_weights(folder, width, size_px, seed=number)
        versions.append(cattery.put_into_service(python, weights, settings))
    port = free_port()
    cores = os.sched_getaffinity(0)
    instructions = Instructions(weights="", port=port, device=device, workers=1, cores=len(cores))
    command = CATTERY.command(python, instructions)
    with running(command, cores, settings, ROOT) as server:
        first = CATTERY.call(CASES["one"]).of(0)
        server.wait_until(lambda: ask(port, first, 5), "the first cat")
        yield server, port, versions


@dataclass
class Soak:
    """A service under load.

    Attributes:
        server: Its processes.
        port: Where it listens.
        versions: Of its one model.
        client: The load generator.
        told: The command line.
        swap_s: How long each swap took, seconds.
        failed: Swaps that were refused.
    """

    server: Running
    port: int
    versions: Sequence[str]
    client: Client
    told: argparse.Namespace
    swap_s: list[float] = field(default_factory=list)
    failed: int = 0

    def run(self) -> None:
        """Go through the phases."""
        for _ in self.versions:  # what a first swap allocates is no growth
            self._swap()
        self.swap_s.clear()
        before = self._phase("before the swaps", [self._load(self.told.seconds)])
        first_mb = self._now_mb()
        during = self._phase("during the swaps", self._swapping())
        self._phase("after the swaps", [self._load(self.told.seconds)])
        growth_mb = self._now_mb() - first_mb
        swaps = f"{len(self.swap_s)} swaps, {self.failed} failed"
        print(f"{swaps}, median {median(self.swap_s):.2f} s each")
        print(f"p99 during the swaps: {during / before:.2f} times the one before")
        print(f"memory: {first_mb:.0f} MB, growth {growth_mb:+.1f} MB")

    def _phase(self, name: str, loads: Sequence[Load]) -> float:
        """Print what a phase came to; return its p99 in milliseconds, the median of its slices."""
        requests, errors = (sum(getattr(x, key) for x in loads) for key in ("requests", "errors"))
        p50, p99 = (
            median(getattr(each, key) or float("inf") for each in loads)
            for key in ("p50_ms", "p99_ms")
        )
        most = max(each.p99_ms or 0.0 for each in loads)
        print(
            f"{name:17} {requests:7} requests, {errors} errors, p50 {p50:.1f} ms, p99 {p99:.1f} ms "
            f"(worst slice {most:.1f} ms), {self._now_mb():.0f} MB",
            flush=True,
        )
        return p99

    def _swapping(self) -> list[Load]:
        """Load in slices while versions swap, until both numbers are reached."""
        done = threading.Event()
        loads: list[Load] = []
        swapper = threading.Thread(target=self._swap_evenly, args=(loads, done))
        swapper.start()
        try:
            while self._requests(loads) < self.told.requests or swapper.is_alive():
                loads.append(self._load(SLICE_S))
                print(f"  {self._requests(loads)} requests, {self._now_mb():.0f} MB", flush=True)
        finally:
            done.set()
            swapper.join()
        return loads

    def _swap_evenly(self, loads: Sequence[Load], done: threading.Event) -> None:
        """Swap as often as the share of the requests that is done asks for, and one at once."""
        while len(self.swap_s) < self.told.swaps and not done.is_set():
            share = self._requests(loads) / self.told.requests
            if len(self.swap_s) <= share * self.told.swaps:
                self._swap()
            else:
                done.wait(0.05)

    def _requests(self, loads: Sequence[Load]) -> int:
        return sum(each.requests for each in loads)

    def _load(self, seconds: float) -> Load:
        call = CATTERY.call(CASES["one"])
        return self.client.load(self.port, call, self.told.clients, seconds)

    def _swap(self) -> None:
        """Put the next version into service, as a client would."""
        version = self.versions[len(self.swap_s) % len(self.versions)]
        path, body = f"/models/{cattery.MODEL}/promote", json.dumps({"version": version})
        began = time.perf_counter()
        if ask(self.port, Call(method="POST", path=path, body=body)) is None:
            self.failed += 1
        self.swap_s.append(time.perf_counter() - began)

    def _now_mb(self) -> float:
        return self.server.now_bytes() / 1e6


if __name__ == "__main__":
    main()
