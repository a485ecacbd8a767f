"""What workers and their job processes use of their machines, for whoever shows it.

Each process reports a few numbers to Redis every few seconds; a report expires soon after its
process has ended. Nothing depends on them.
"""

import json
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from redis import Redis

from worker.protocol import vitals_key
from worker.redis_client import AWAY

EVERY_S = 2.0
TTL_S = 10

Vitals = dict[str, Any]


def memory_bytes(statm: Path = Path("/proc/self/statm")) -> int | None:
    """Return the resident memory of this process, or None where that is not known."""
    try:
        pages = int(statm.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def device_memory(device: str) -> tuple[int, int, int] | None:
    """Return a GPU's memory in bytes: used by this process's tensors, by all, and in total.

    None for a CPU, and for a process that has not used the GPU: asking would initialize it.
    """
    # Not imported for this, since that takes seconds and memory. While another thread does, the
    # module is there with nothing in it.
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    is_initialized = getattr(cuda, "is_initialized", lambda: False)
    if not device.startswith("cuda") or not is_initialized():
        return None
    free, total = cuda.mem_get_info(device)
    return cuda.memory_reserved(device), total - free, total


def vitals(device: str) -> Vitals:
    """Return what this process uses now."""
    gpu = device_memory("cuda" if device == "auto" else device)
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "rss_bytes": memory_bytes(),
        "device": device,
        "device_bytes": gpu and gpu[0],
        "device_used_bytes": gpu and gpu[1],
        "device_total_bytes": gpu and gpu[2],
    }


class Reporter:
    """A thread that reports this process's vitals while the context lasts.

    Args:
        redis: A client for this thread.
        worker: Name of the worker.
        device: As in the settings.
        job: Id of the job that this process runs; None for the worker itself.
    """

    def __init__(self, redis: Redis, worker: str, device: str, job: str | None = None) -> None:
        self._redis, self._device, self._job = redis, device, job
        self._key = vitals_key(worker, "worker" if job is None else "job")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._report, name="vitals", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(*AWAY):  # it expires by itself
            self._redis.delete(self._key)

    def _report(self) -> None:
        while True:
            report = json.dumps(vitals(self._device) | {"job": self._job})
            with suppress(*AWAY):  # logged by whoever needs Redis
                self._redis.set(self._key, report, ex=TTL_S)
            if self._ended.wait(EVERY_S):
                return


def reported(raw: bytes | str | None) -> Vitals | None:
    """Parse a report; None if there is none, or it is damaged."""
    try:
        found = json.loads(raw) if raw else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
