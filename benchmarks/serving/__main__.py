"""Start each contender in turn, load it, and print how they compare.

All serve the same weights from the same cores to the same client and are asked for other
cats each time. Before it is measured, each one's pictures are compared with ours. A cell lasts
so long that every client could have three answers at the bare limit. Cores given to both
server and client are shared: then the client's part is told in the table.

The table goes to stdout, all figures to a JSON file, written anew after each contender's turn.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.serving import cattery, limit
from benchmarks.serving.arguments import parse
from benchmarks.serving.cases import CASES
from benchmarks.serving.checking import check
from benchmarks.serving.client import Client, Load, ask, find_wrk
from benchmarks.serving.contenders import CATTERY, ROOT, Call, Entry, entries_for
from benchmarks.serving.environments import interpreter_of
from benchmarks.serving.processes import Running, adopt_orphans, free_port, running
from benchmarks.serving.results import Ceiling, Cell, Limit, Results, markdown
from benchmarks.serving.servers.painting import Instructions, Painter
from benchmarks.serving.weights import untrained_weights, zoo_weights

ANSWERS_A_CLIENT = 3
LEVELS = 1
"""How far a right cat may be off, gray levels: engines round differently."""

LEVELS_ON_GPU = 8
"""Likewise of plain torch there, which convolves in TF32 unless it is told not to."""

CHECKED_SEED = 7
WARM_UP_CLIENTS = 32
CEILING_S = 2


def main() -> None:
    """Measure all and print the tables."""
    told = parse()
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="cattery-serving-") as folder:
        if told.width is None:
            weights = zoo_weights(told.model)
        else:
            weights = untrained_weights(Path(folder), told.width, told.size)
        bench = Bench(told, weights, Path(folder))
        bench.measure()
    print("\n".join(markdown(bench.results())))


@dataclass
class Bench:
    """One run.

    Attributes:
        told: The command line.
        weights: The generator's file.
        folder: For what does not stay.
    """

    told: argparse.Namespace
    weights: Path
    folder: Path
    cells: list[Cell] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    ceilings: list[Ceiling] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Install what is missing before anything is measured."""
        told = self.told
        self.entries: list[Entry] = told.contenders or entries_for(len(told.server_cores))
        self.interpreters = {
            entry.contender.name: interpreter_of(entry.contender, told.environments, told.wheels)
            for entry in self.entries
        }
        self.client = Client(find_wrk(told.wrk, told.wheels), told.client_cores)
        self.painter = Painter(str(self.weights), "cpu", 1)
        self.sizes: dict[str, int] = {}

    def measure(self) -> None:
        """Let all take their turns, the other way round each second time."""
        for number in range(self.told.rounds):
            if self.told.limits:
                self._measure_limits()
            for entry in self.entries[:: -1 if number % 2 else 1]:
                self._measure_entry(entry, number)
                self.told.output.parent.mkdir(parents=True, exist_ok=True)
                self.results().write(self.told.output)
        for case in self.told.cases:
            self._measure_ceiling(case)
        self.results().write(self.told.output)

    def results(self) -> Results:
        """Return all figures so far."""
        return Results(
            machine=_machine(self.told, self.weights),
            cells=self.cells,
            limits=self.limits,
            ceilings=self.ceilings,
        )

    def _measure_limits(self) -> None:
        told = self.told
        for way in limit.WAYS:
            with limit.Bare(way, self.weights, told.device, told.server_cores) as bare:
                for case in told.cases:
                    alone, loaded = bare.limit(CASES[case], told.seconds / 3)
                    self.limits.append(Limit(way=way, case=case, alone=alone, loaded=loaded))
                    _tell(f"limit, {way}: {case}, alone {alone:.0f}, loaded {loaded:.0f} cats/s")

    def _measure_entry(self, entry: Entry, number: int) -> None:
        with self._serving(entry) as (server, port):
            for name in self.told.cases:
                case, call = CASES[name], entry.contender.call(CASES[name])
                body = ask(port, call.of(CHECKED_SEED))
                most = LEVELS_ON_GPU if self._is_foreign_on_gpu(entry) else LEVELS
                levels = check(self.painter, case, CHECKED_SEED, body, entry.title, most)
                self.sizes[name] = len(body or b"")
                if not number:
                    _tell(f"{entry.title} shows the right cats: {name}, {levels} levels off")
                step = case.images
                self.client.load(port, call, WARM_UP_CLIENTS, self.told.warm_up, step=step)
                for clients in self.told.clients:
                    ask(port, call.of(CHECKED_SEED))  # what the last clients left is worked off
                    seconds = max(self.told.seconds, self._least_s(name, clients))
                    used_s = server.used_s()
                    load = self.client.load(port, call, clients, seconds, step=step)
                    used_s = server.used_s() - used_s
                    self._note(entry, name, clients, load, used_s, server.peak_bytes)
                    if load.errors:
                        _tell(f"{load.refused} refused, {load.broken} broken; it said at last:")
                        _tell(server.said())

    def _is_foreign_on_gpu(self, entry: Entry) -> bool:
        return self.told.device == "cuda" and entry.contender is not CATTERY

    def _least_s(self, case: str, clients: int) -> float:
        bare = max((each.of(clients) for each in self.limits if each.case == case), default=0.0)
        return ANSWERS_A_CLIENT * clients * CASES[case].images / bare if bare else 0.0

    def _note(
        self, entry: Entry, case: str, clients: int, load: Load, used_s: float, peak_bytes: int
    ) -> None:
        cats_per_s = load.good_per_s * CASES[case].images
        cats = cats_per_s * load.seconds
        cell = Cell(
            contender=entry.name,
            title=entry.title,
            case=case,
            clients=clients,
            cats_per_s=cats_per_s,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            errors=load.errors,
            cpu_ms=1000 * used_s / cats if cats else None,
            peak_mb=peak_bytes / 1e6,
            client_cores=load.client_cores,
        )
        self.cells.append(cell)
        _tell(
            f"{entry.title}: {case}, {clients} clients, {cell.cats_per_s:.0f} cats/s, "
            f"p50 {cell.p50_ms} ms, p99 {cell.p99_ms} ms, {cell.errors} errors, "
            f"{cell.cpu_ms} CPU ms a cat, {cell.peak_mb:.0f} MB"
        )

    @contextmanager
    def _serving(self, entry: Entry) -> Iterator[tuple[Running, int]]:
        """Start a contender's server, and end it afterwards."""
        told, port = self.told, free_port()
        instructions = Instructions(
            weights=str(self.weights),
            port=port,
            device=told.device,
            workers=entry.workers,
            cores=len(told.server_cores),
        )
        interpreter = self.interpreters[entry.contender.name]
        variables = {**instructions.environment(), **entry.contender.variables}
        if entry.contender is CATTERY:
            data = tempfile.mkdtemp(dir=self.folder)
            variables = cattery.variables(Path(data), told.device)
            cattery.put_into_service(interpreter, self.weights, variables)
        command = entry.contender.command(interpreter, instructions)
        first = entry.contender.call(CASES["one"]).of(CHECKED_SEED)
        with running(command, told.server_cores, variables, ROOT) as server:
            server.wait_until(lambda: ask(port, first, 5), f"{entry.title}'s first cat")
            yield server, port

    def _measure_ceiling(self, case: str) -> None:
        port = free_port()
        words = ["-m", "benchmarks.serving.servers.ceiling", str(port), str(self.sizes[case])]
        call = Call(path="/")
        with running([sys.executable, *words], self.told.server_cores, {}, ROOT) as server:
            server.wait_until(lambda: ask(port, call, 5), "the server that does nothing")
            for clients in self.told.clients:
                load = self.client.load(port, call, clients, CEILING_S)
                self.ceilings.append(
                    Ceiling(case=case, clients=clients, requests_per_s=load.good_per_s)
                )


def _machine(told: argparse.Namespace, weights: Path) -> dict[str, object]:
    on_gpu = told.device == "cuda"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "device": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "torch": torch.__version__,
        "generator": weights.parent.name if told.width is None else f"width {told.width}",
        "server cores": "+".join(map(str, told.server_cores)),
        "client cores": "+".join(map(str, told.client_cores)),
        "shared": bool(set(told.server_cores) & set(told.client_cores)),
        "seconds": told.seconds,
        "rounds": told.rounds,
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
