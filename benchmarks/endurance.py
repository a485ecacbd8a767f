"""Use Cattery for an hour as its users do, and see whether memory and descriptors grow.

Requests of all kinds come at a steady rate: new cats, cats of a year ago, sheets, walks, lists, the
state of the service, its metrics, and what is refused. Every ten seconds another version comes into
service. After each tenth of the time it prints the memory of all processes together, without the
rendered files that the front end keeps on purpose up to `CATTERY_CACHE_BYTES`, and their open
descriptors. Growth is counted from the first tenth to the last.

Aims, for an hour: every answer as expected, growth below 16 MB, no more descriptors.
"""

import argparse
import json
import random
import re
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median

from benchmarks.serving import cattery
from benchmarks.serving.client import ask
from benchmarks.serving.contenders import Call
from benchmarks.serving.processes import Running, adopt_orphans, tree
from benchmarks.soak import several_versions

CLIENTS = 8
TENTHS = 10
SWAP_EVERY_S = 10.0
SAMPLES = 5  # a second apart; what is open for one request is no growth
CACHE_BYTES = str(2 << 20)  # full within the first tenth: its entries weigh more than their files
OLD_CATS = 4000
"""As many permalinks are asked for again and again."""

# Share of the requests, and the status that each must get.
MIX = {
    "/cats?seed={new}": (40, 200),
    "/cats/{model}@{version}/{old}.png": (25, 200),
    "/cats?n=16&seed={new}": (8, 200),
    "/cats/{model}@{version}/walk/{new}-{old}.webp?frames=16": (2, 200),
    "/models": (5, 200),
    "/jobs": (5, 200),
    "/status": (5, 200),
    "/metrics": (5, 200),
    "/cats?n=65": (3, 422),
    "/nothing/{new}": (2, 404),
}


def main() -> None:
    """Run for the time that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    told = parser.parse_args()
    adopt_orphans()
    with (
        tempfile.TemporaryDirectory(prefix="cattery-endurance-") as folder,
        several_versions(Path(folder), 16, 64, CATTERY_CACHE_BYTES=CACHE_BYTES) as (
            server,
            port,
            versions,
        ),
    ):
        Endurance(server, port, versions, told.rate).run(60 * told.minutes)


@dataclass
class Endurance:
    """A service that is used.

    Attributes:
        server: Its processes.
        port: Where it listens.
        versions: Of its one model.
        rate: Requests a second.
        answers: Number of answers by path of the mix.
        wrong: Answers with another status than expected, by path and status.
    """

    server: Running
    port: int
    versions: list[str]
    rate: float
    answers: Counter[str] = field(default_factory=Counter)
    wrong: Counter[tuple[str, object]] = field(default_factory=Counter)

    def run(self, seconds: float) -> None:
        """Use it and print what it came to."""
        done = threading.Event()
        clients = [
            threading.Thread(target=self._ask, args=[number, done]) for number in range(CLIENTS)
        ]
        clients.append(threading.Thread(target=self._swap, args=[done]))
        for client in clients:
            client.start()
        figures = []
        try:
            for tenth in range(1, TENTHS + 1):
                time.sleep(max(seconds / TENTHS - SAMPLES, 0.0))
                figures.append(self._look())
                memory, cache, files = figures[-1]
                print(
                    f"{tenth:3}/10 {self.answers.total():8} requests, {memory / 1e6:7.1f} MB "
                    f"without {cache / 1e6:.1f} MB of rendered files, {files} descriptors",
                    flush=True,
                )
        finally:
            done.set()
            for client in clients:
                client.join()
        growth = (figures[-1][0] - figures[0][0]) / 1e6
        print(f"{seconds / 60:g} minutes, {dict(self.answers)}")
        print(f"wrong answers: {dict(self.wrong) or 'none'}")
        print(f"growth since the first tenth: {growth:+.1f} MB (aim below 16 MB for an hour)")
        print(f"descriptors: {figures[0][2]} after the first tenth, {figures[-1][2]} at the end")

    def _look(self) -> tuple[float, float, int]:
        """Return memory without rendered files, rendered files (bytes), and descriptors."""
        rows = []
        for _ in range(SAMPLES):
            time.sleep(1)
            cache = self._cache_bytes()
            rows.append((self.server.now_bytes() - cache, cache, self._descriptors()))
        memory, cache, files = (median(column) for column in zip(*rows, strict=True))
        return memory, cache, int(files)

    def _cache_bytes(self) -> float:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.search(r"^cattery_cache_bytes (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _descriptors(self) -> int:
        count = 0
        for pid in tree(self.server.process.pid):
            with suppress(OSError):
                count += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return count

    def _ask(self, number: int, done: threading.Event) -> None:
        """Ask at this client's share of the rate, on connections that live for a while."""
        dice = random.Random(number)  # noqa: S311 - to be repeated
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        kinds, shares = list(MIX), [share for share, _ in MIX.values()]
        while not done.wait(dice.expovariate(self.rate / CLIENTS)):
            kind = dice.choices(kinds, shares)[0]
            path = kind.format(
                new=dice.randrange(2**31),
                old=dice.randrange(OLD_CATS),
                model=cattery.MODEL,
                version=self.versions[0],
            )
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                status: object = answer.status
            except (OSError, HTTPException) as err:
                status = type(err).__name__
                connection.close()
            self.answers[kind] += 1
            if status != MIX[kind][1]:
                self.wrong[kind, status] += 1
            if dice.random() < 0.02:  # people come and go
                connection.close()
        connection.close()

    def _swap(self, done: threading.Event) -> None:
        number = 0
        while not done.wait(SWAP_EVERY_S):
            number += 1
            body = json.dumps({"version": self.versions[number % len(self.versions)]})
            path = f"/models/{cattery.MODEL}/promote"
            if ask(self.port, Call(method="POST", path=path, body=body)) is None:
                self.wrong["promote", "refused"] += 1


if __name__ == "__main__":
    main()
