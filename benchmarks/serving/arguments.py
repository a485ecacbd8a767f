"""The command line of `python -m benchmarks.serving`."""

import argparse
import os
from pathlib import Path

from benchmarks.serving.cases import CASES, CLIENTS
from benchmarks.serving.contenders import CONTENDERS, entry_of

ENVIRONMENTS = Path("build") / "contenders"


def parse() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving",
        description="Serve the same generator in turn by Cattery and by others, and compare.",
    )
    _add_what(parser)
    _add_where(parser)
    _add_how_long(parser)
    return parser.parse_args()


def _add_what(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(CONTENDERS)
    parser.add_argument(
        "--contenders",
        nargs="+",
        type=entry_of,
        metavar="NAME[:WORKERS]",
        help=f"of {names}; default: all, with one worker and with one a core",
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--clients", nargs="+", type=int, default=list(CLIENTS))
    both = argparse.BooleanOptionalAction
    parser.add_argument("--limits", action=both, default=True, help="measure the bare limit, too")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--model", default="dcgan", help="generator that the release brings")
    weights.add_argument("--width", type=int, help="an untrained DCGAN of this width instead")
    parser.add_argument("--size", type=int, default=64, help="of the untrained one, pixels")


def _add_where(parser: argparse.ArgumentParser) -> None:
    mine = sorted(os.sched_getaffinity(0))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--server-cores", type=_cores, default=mine, metavar="0,1")
    parser.add_argument("--client-cores", type=_cores, default=mine, metavar="0,1")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="FOLDER")
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="FOLDER",
        help="install from here, not from the index; see `python -m benchmarks.serving.pack`",
    )
    parser.add_argument("--wrk", type=Path, help="the load generator, if it is not on the path")
    parser.add_argument("--output", type=Path, default=Path("build") / "serving.json")


def _add_how_long(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement, at least")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds before each case")
    parser.add_argument("--rounds", type=int, default=2, help="how often all take their turn")


def _cores(text: str) -> list[int]:
    """Return the cores that `0,1` or `0-7` names."""
    cores: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores
