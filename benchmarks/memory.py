"""Measure the peak memory of each process while a job trains and cats are asked for.

A client asks for sheets of 64 cats without a pause until the job has ended, its measuring
included. A figure is the kernel's own peak of resident memory (VmHWM in /proc, so Linux only),
which counts pages that processes share in each of them.

Aim: front end below 1.5 GB.
"""

import argparse
import time
import urllib.request
from pathlib import Path

from benchmarks.service import PICTURES, Service, running

ROLES = {
    "app.cli serve": "front end",
    "app.cli worker": "worker",
    "worker.job_process": "job",
    "valkey-server": "queue",
}
"""What a command line holds that tells a process."""

Peaks = dict[str, int]


def main() -> None:
    """Print each process's peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="the job's budget")
    parser.add_argument("--width", type=int, help="of the job's networks")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder to train on")
    arguments = parser.parse_args()
    with running(arguments.pictures) as service:
        job = service.order_training(arguments.minutes, arguments.width)
        peaks, requests = _watch(service, job)
        ended = service.get(f"/jobs/{job}")
    for role in ROLES.values():
        print(f"{role:10} peak {peaks.get(role, 0) / 1e6:8.0f} MB")
    print(f"{requests} sheets of 64 cats meanwhile; the job {ended['status']}.")


def _watch(service: Service, job: str) -> tuple[Peaks, int]:
    """Ask for cats until the job has ended; return the peaks in bytes, and how often it asked."""
    peaks: Peaks = {}
    requests = 0
    look_at = 0.0
    while True:
        with urllib.request.urlopen(f"{service.url}/cats?n=64", timeout=60) as answer:  # noqa: S310
            answer.read()
        requests += 1
        if time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + 0.2
        _note(service.process.pid, peaks)
        if service.get(f"/jobs/{job}")["status"] not in ("queued", "started"):
            return peaks, requests


def _note(pid: int, peaks: Peaks) -> None:
    """Note the peaks of a process and all that it has started."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        status = Path(f"/proc/{pid}/status").read_text()
        children = "".join(f.read_text() for f in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended meanwhile; its last peak was noted
        return
    role = next((role for words, role in ROLES.items() if words in line), None)
    if role is not None and "VmHWM:" in status:
        kib = int(status.partition("VmHWM:")[2].split()[0])
        peaks[role] = max(peaks.get(role, 0), 1024 * kib)
    for child in children.split():
        _note(int(child), peaks)


if __name__ == "__main__":
    main()
