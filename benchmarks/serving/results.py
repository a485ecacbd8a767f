"""Figures as a table: each contender beside the others and beside the bare limit."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.serving.cases import CASES

RIVAL = "litserve"
COLUMNS = (
    "contender",
    "cats/s",
    "x LitServe",
    "of the limit",
    "p50 ms",
    "p99 ms",
    "errors",
    "CPU ms/cat",
    "peak MB",
    "client cores",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one contender did in one case with so many clients.

    Attributes:
        contender: Its name, as `litserve:2`.
        title: For people.
        case: Key in `CASES`.
        clients: How many asked at a time.
        cats_per_s: In answers without an error.
        p50_ms: Median time of an answer; None if none came.
        p99_ms: Likewise.
        errors: Requests that did not get what they asked for.
        cpu_ms: Processor milliseconds of all its processes for each cat; unlike all other
            figures little changed by what else a machine does. None if no cat came.
        peak_mb: Most resident memory of all its processes so far.
        client_cores: Processor seconds a second that the load generator took.
    """

    contender: str
    title: str
    case: str
    clients: int
    cats_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    errors: int
    cpu_ms: float | None
    peak_mb: float
    client_cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What can be made without a server.

    Attributes:
        way: "torch", as the contenders do it, or "cattery".
        case: Key in `CASES`.
        alone: Cats a second for one client.
        loaded: Cats a second for many.
    """

    way: str
    case: str
    alone: float
    loaded: float

    def of(self, clients: int) -> float:
        """Return the limit for so many clients."""
        return self.alone if clients == 1 else self.loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What the load generator gets from a server that does nothing.

    Attributes:
        case: Key in `CASES`; the answers are as large as that case's.
        clients: How many asked at a time.
        requests_per_s: Its answers a second.
    """

    case: str
    clients: int
    requests_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All figures of one run.

    Attributes:
        machine: What it ran on, and how: for the table's head.
        cells: Of all rounds.
        limits: Of all rounds.
        ceilings: Of the load generator.
    """

    machine: dict[str, object]
    cells: Sequence[Cell]
    limits: Sequence[Limit]
    ceilings: Sequence[Ceiling]

    def write(self, path: Path) -> None:
        """Write all as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def merged(cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell for those of several rounds: medians, but all errors and the largest peak."""
    rounds: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        rounds.setdefault((cell.contender, cell.case, cell.clients), []).append(cell)
    return [
        replace(
            same[0],
            cats_per_s=median(cell.cats_per_s for cell in same),
            p50_ms=_median_of(cell.p50_ms for cell in same),
            p99_ms=_median_of(cell.p99_ms for cell in same),
            errors=sum(cell.errors for cell in same),
            cpu_ms=_median_of(cell.cpu_ms for cell in same),
            peak_mb=max(cell.peak_mb for cell in same),
            client_cores=median(cell.client_cores for cell in same),
        )
        for same in rounds.values()
    ]


def _median_of(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def markdown(results: Results) -> Iterator[str]:
    """Yield the lines of all tables, one for each case and number of clients."""
    yield ", ".join(f"{name} {value}" for name, value in results.machine.items()) + "."
    cells = merged(results.cells)
    for case, clients in dict.fromkeys((cell.case, cell.clients) for cell in cells):
        block = [cell for cell in cells if (cell.case, cell.clients) == (case, clients)]
        limits = {w: limit_of(results.limits, w, case, clients) for w in ("torch", "cattery")}
        yield from _block(case, clients, block, limits)
        yield from _ceiling(results.ceilings, case, clients, block)


def limit_of(limits: Sequence[Limit], way: str, case: str, clients: int) -> float | None:
    """Return the median limit of all rounds, cats a second; None if it was not measured."""
    found = [each.of(clients) for each in limits if (each.way, each.case) == (way, case)]
    return median(found) if found else None


def _block(
    case: str, clients: int, cells: Sequence[Cell], limits: dict[str, float | None]
) -> Iterator[str]:
    plural = "" if clients == 1 else "s"
    yield from ("", f"### {CASES[case].title}, {clients} client{plural}", "")
    yield _row(COLUMNS)
    yield _row(["---"] * len(COLUMNS))
    rival = rival_of(cells)
    for cell in sorted(cells, key=lambda cell: -cell.cats_per_s):
        limit = limits["cattery" if cell.contender.partition(":")[0] == "cattery" else "torch"]
        yield _row(_figures(cell, rival, limit))
    for way, words in (("torch", "torch and Pillow"), ("cattery", "Cattery's engine and encoder")):
        bare = limits[way]
        if bare is not None:
            cats, ratio = _number(bare), _ratio(bare, rival)
            yield _row([f"*bare limit: {words}*", cats, ratio, *[""] * (len(COLUMNS) - 3)])


def rival_of(cells: Sequence[Cell]) -> float | None:
    """Return the cats a second of LitServe with its best number of workers."""
    found = [c.cats_per_s for c in cells if c.contender.partition(":")[0] == RIVAL]
    return max(found, default=None)


def _figures(cell: Cell, rival: float | None, limit: float | None) -> list[str]:
    return [
        cell.title,
        _number(cell.cats_per_s),
        _ratio(cell.cats_per_s, rival),
        f"{cell.cats_per_s / limit:.0%}" if limit else "",
        _number(cell.p50_ms),
        _number(cell.p99_ms),
        str(cell.errors),
        _number(cell.cpu_ms),
        f"{cell.peak_mb:.0f}",
        f"{cell.client_cores:.2f}",
    ]


def _ceiling(
    ceilings: Sequence[Ceiling], case: str, clients: int, cells: Sequence[Cell]
) -> Iterator[str]:
    found = [c.requests_per_s for c in ceilings if (c.case, c.clients) == (case, clients)]
    if found and cells:
        most = max(cell.cats_per_s for cell in cells) / CASES[case].images
        yield ""
        yield f"The client alone makes {_number(median(found))} requests/s of such answers,"
        yield f"{median(found) / most:.1f} times the most in this table." if most else "of any."


def _ratio(value: float, other: float | None) -> str:
    return f"{value / other:.2f}" if other else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
