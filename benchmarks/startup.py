"""Measure the seconds from `cattery serve` to ready, on a fresh data folder.

Ready is the line that names the address: the embedded Valkey answers, the worker has been
started, and the shipped generators are registered, loaded, checked and warmed. The first start
also reads torch from the disk; the later ones find it in memory.

Aim: 10 seconds.
"""

import argparse
from statistics import median

from benchmarks.service import running


def main() -> None:
    """Print the seconds of each start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="how often")
    times_s = [_start() for _ in range(parser.parse_args().starts)]
    print(f"start to ready  median {median(times_s):.2f} s  ({len(times_s)} starts)")


def _start() -> float:
    with running() as service:
        print(f"start to ready         {service.startup_s:.2f} s", flush=True)
        return service.startup_s


if __name__ == "__main__":
    main()
