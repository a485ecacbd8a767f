"""Measure how long one cat and sixteen take, idle and while a job trains.

One client on one kept connection asks for one request after another, each with a random seed,
so that nothing can be cached; a time is from the first byte sent to the last byte received. The
training job runs in the service's own worker, with the worker's settings (niced, its threads).

Aim: p99 while a job trains at most three times the idle one.
"""

import argparse
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.service import PICTURES, Service, running

COUNTS = (1, 16)
WARM_UP = 20

Percentiles = tuple[float, float]


def main() -> None:
    """Print p50 and p99 of each case, and how much training adds."""
    arguments = _arguments()
    with running(arguments.pictures) as service:
        idle = _measure(service, arguments.requests)
        job = service.order_training(arguments.minutes, arguments.width)
        service.wait_until_training(job)
        training = _measure(service, arguments.requests)
        status = service.get(f"/jobs/{job}")
    _print(idle, training)
    if status["phase"] != "training":
        print(f"The job did not train to the end of this ({status['phase']}): raise --minutes.")
    print(f"meanwhile the job trained {status['progress']['images_per_s']:.0f} images/s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="of each kind")
    parser.add_argument("--minutes", type=float, default=60, help="the job's budget")
    parser.add_argument("--width", type=int, help="of the job's networks")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder to train on")
    return parser.parse_args()


def _measure(service: Service, requests: int) -> dict[int, Percentiles]:
    """Return p50 and p99 for each number of cats, milliseconds."""
    return {count: _percentiles(service, count, requests) for count in COUNTS}


def _percentiles(service: Service, count: int, requests: int) -> Percentiles:
    connection = HTTPConnection(urlsplit(service.url).netloc, timeout=60)
    times_ms = [_request_ms(connection, count) for _ in range(WARM_UP + requests)][WARM_UP:]
    connection.close()
    p50, p99 = np.percentile(times_ms, [50, 99])
    return float(p50), float(p99)


def _request_ms(connection: HTTPConnection, count: int) -> float:
    began = time.perf_counter()
    connection.request("GET", f"/cats?n={count}")
    answer = connection.getresponse()
    body = answer.read()
    took_ms = 1000 * (time.perf_counter() - began)
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {body.decode(errors='replace')}")
    return took_ms


def _print(idle: dict[int, Percentiles], training: dict[int, Percentiles]) -> None:
    print("cats       idle p50       p99   training p50       p99   ratio p50   p99")
    for count in COUNTS:
        (idle_50, idle_99), (busy_50, busy_99) = idle[count], training[count]
        print(
            f"{count:4}  {idle_50:10.1f} ms {idle_99:6.1f} ms  {busy_50:10.1f} ms {busy_99:6.1f} ms"
            f"  {busy_50 / idle_50:9.2f} {busy_99 / idle_99:5.2f}"
        )


if __name__ == "__main__":
    main()
