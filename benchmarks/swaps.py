"""Swap versions a thousand times while 32 clients ask for cats, and compare every byte.

Three generators take turns in service, one of which is kept in memory beside the serving one, so
every swap loads one. Before the first swap each cat is rendered by each version; then every answer
must be byte for byte the cat that the version which it names has rendered before.

Aims: no failed request, no wrong byte, p99 during the swaps within twice the steady one.
"""

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles

from benchmarks.service import wait_for
from benchmarks.serving import cattery
from benchmarks.serving.client import ask
from benchmarks.serving.contenders import Call
from benchmarks.serving.processes import adopt_orphans
from benchmarks.soak import several_versions

SEEDS = 200
VERSION = "Cattery-Version"


def main() -> None:
    """Ask in peace, then during the swaps, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30, help="of the steady part")
    told = parser.parse_args()
    adopt_orphans()
    with (
        tempfile.TemporaryDirectory(prefix="cattery-swaps-") as folder,
        several_versions(Path(folder), 16, 64) as (_, port, versions),
    ):
        swaps = Swaps(port, versions, _cats(port, versions))
        with swaps.asked_by(told.clients) as steady:
            time.sleep(told.seconds)
        with swaps.asked_by(told.clients) as during:
            for number in range(1, told.swaps + 1):
                swaps.swap(number)
    for name, load in (("steady", steady), ("during the swaps", during)):
        print(f"{name:17} {load}")
    print(f"p99 {during.p99_ms / steady.p99_ms:.2f} times the steady one (aim 2)")


def _cats(port: int, versions: Iterable[str]) -> dict[tuple[str, int], bytes]:
    """Return each cat as each version renders it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    found = {}
    for version in versions:
        for seed in range(SEEDS):
            connection.request("GET", f"/cats/{cattery.MODEL}@{version}/{seed}.png")
            found[version, seed] = connection.getresponse().read()
    return found


@dataclass
class Answers:
    """What clients were answered.

    Attributes:
        times_ms: How long each answer took.
        versions: Number of answers by version.
        failed: Requests without an answer of status 200.
        wrong: Answers whose bytes are not those of their version's cat.
    """

    times_ms: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    wrong: int = 0

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of the times."""
        return quantiles(self.times_ms, n=100)[98]

    def __str__(self) -> str:
        return (
            f"{len(self.times_ms)} answers of {len(self.versions)} versions, {self.failed} failed, "
            f"{self.wrong} with wrong bytes, p50 {quantiles(self.times_ms, n=2)[0]:.1f} ms, "
            f"p99 {self.p99_ms:.1f} ms"
        )


@dataclass
class Swaps:
    """A service whose versions take turns.

    Attributes:
        port: Where it listens.
        versions: Of its one model.
        cats: Each cat as each version renders it.
    """

    port: int
    versions: list[str]
    cats: dict[tuple[str, int], bytes]

    def swap(self, number: int) -> None:
        """Put another version into service, and wait until it is."""
        version = self.versions[number % len(self.versions)]
        path, body = f"/models/{cattery.MODEL}/promote", json.dumps({"version": version})
        if ask(self.port, Call(method="POST", path=path, body=body)) is None:
            raise SystemExit(f"Swap {number} was refused.")
        wait_for(lambda: self._serving() == version, f"swap {number}")

    @contextmanager
    def asked_by(self, clients: int) -> Iterator[Answers]:
        """Let clients ask without a pause within the block."""
        answers, done = Answers(), threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=[number, answers, done])
            for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _serving(self) -> str | None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("HEAD", "/cats?seed=0")
            return connection.getresponse().headers[VERSION]
        finally:
            connection.close()

    def _ask(self, seed: int, answers: Answers, done: threading.Event) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not done.is_set():
            seed = (seed + 7) % SEEDS
            began = time.perf_counter()
            try:
                connection.request("GET", f"/cats?seed={seed}")
                answer = connection.getresponse()
                png, version = answer.read(), answer.headers[VERSION]
            except (OSError, HTTPException):
                answers.failed += 1
                connection.close()
                continue
            answers.times_ms.append(1000 * (time.perf_counter() - began))
            if answer.status != 200:
                answers.failed += 1
                continue
            answers.versions[version] += 1
            answers.wrong += self.cats.get((version, seed)) != png
        connection.close()


if __name__ == "__main__":
    main()
