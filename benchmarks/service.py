"""A whole `cattery serve` on a data folder of its own, to measure."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).parents[1] / "tests" / "pictures" / "cats"
DATASET = "benchmark"
WAIT_S = 300.0


@dataclass(frozen=True)
class Service:
    """A running Cattery.

    Attributes:
        process: The front end, which has started all other processes.
        url: Where it answers.
        startup_s: Seconds from its start to its line "Ready".
    """

    process: subprocess.Popen[str]
    url: str
    startup_s: float

    def get(self, path: str) -> Any:
        """Return the JSON that a GET answers with."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310 - our URL
            return json.load(answer)

    def order_training(self, minutes: float, width: int | None) -> str:
        """Order a training job that never goes into service; return its id.

        Args:
            minutes: Its budget.
            width: Base channels of its networks; None is the recipe's own.
        """
        order = {
            "recipe": "dcgan",
            "dataset": DATASET,
            "model": "benchmark",
            "budget": {"minutes": minutes},
            "overrides": {} if width is None else {"width": width},
            "promote": "never",
        }
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - our URL
            f"{self.url}/train", json.dumps(order).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return str(json.load(answer)["id"])

    def wait_until_training(self, job: str) -> None:
        """Return when a job takes its steps."""
        wait_for(lambda: _trains(self.get(f"/jobs/{job}")), f"the job {job} to train")


def _trains(job: dict[str, Any]) -> bool:
    if job["status"] not in ("queued", "started"):
        sys.exit(f"The job {job['id']} {job['status']}: {job['reason']}")
    return bool(job["phase"] == "training" and job["progress"]["kimg"] > 0)


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Return as soon as a condition holds; end the command if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"Waited {timeout_s:g} s for {what}.")
        time.sleep(0.1)


@contextmanager
def running(pictures: Path | None = None) -> Iterator[Service]:
    """Start a service on a fresh data folder, and end it afterwards.

    Settings come from the environment (CATTERY_DEVICE and so on), but for its folder and port.

    Args:
        pictures: A folder that is imported first, as the dataset `DATASET`.
    """
    with tempfile.TemporaryDirectory(prefix="cattery-benchmark-") as folder:
        fresh = {"CATTERY_DATA": folder, "CATTERY_PORT": "0"}
        environment = {**os.environ, **fresh}  # noqa: TID251 - handed on, not read
        command = [sys.executable, "-P", "-m", "app.cli"]
        if pictures is not None:
            words = ["dataset", "import", DATASET, str(pictures)]
            subprocess.run([*command, *words], env=environment, check=True, capture_output=True)
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "serve"], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            url = _ready(process)
            yield Service(process, url, time.perf_counter() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _ready(process: subprocess.Popen[str]) -> str:
    """Wait for the line that says where it is ready; return the address."""
    said = []
    stderr = process.stderr
    for line in iter(stderr.readline, "") if stderr else ():
        said.append(line)
        if stderr and (match := re.search(r"^Ready after .*: (http://\S+)", line)):
            # Read on, or a service that warns much would wait for a reader.
            threading.Thread(target=stderr.read, daemon=True).start()
            return match[1]
    sys.exit("It did not start:\n" + "".join(said))
