"""Orders of short real trainings, placed over HTTP by a client that does not give up."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException

from models.store import Store

DATASET = "pictures"
VARIANTS = 3
"""Different trainings; orders of one variant must lead to the same weights."""

KIMG = 1.6
AT_ONCE = 5
RETRY_S = 0.3


@dataclass
class Client:
    """Places orders, each again and again under its Idempotency-Key until it is accepted.

    Args:
        url: The front end's.
        store: Its store, to see how many jobs have not ended.
        name: Distinguishes the models of this client.

    Attributes:
        accepted: Ids of the accepted jobs, with the variant of each.
    """

    url: str
    store: Store
    name: str
    accepted: dict[str, int] = field(default_factory=dict)

    def place(self, number: int, give_up: Callable[[], bool] = lambda: False) -> str | None:
        """Place an order; return its job, or None if it was given up before it was accepted."""
        variant = number % VARIANTS
        order = {
            "recipe": "dcgan",
            "dataset": DATASET,
            "model": f"{self.name}-{number}",  # its own: twice published shows
            "size_px": 32,
            "budget": {"kimg": KIMG},
            "seed": variant,
            "overrides": {"width": 8, "batch": 16},
        }
        while not give_up():
            job = self._try(order, f"{self.name}-{number}")
            if job is not None:
                self.accepted[job] = variant
                return job
            time.sleep(RETRY_S)
        return None

    def keep_busy(self, done: threading.Event) -> None:
        """Place orders so that a few jobs wait or run at any time, until told."""
        number = 0
        while not done.is_set():
            if self.open_jobs() < AT_ONCE:
                # Not given up once sent: it may have been accepted unheard.
                self.place(number)
                number += 1
            else:
                done.wait(RETRY_S)

    def open_jobs(self) -> int:
        """Return how many accepted jobs have not ended."""
        ended = {record.id for record in self.store.jobs.list() if record.status.has_ended}
        return sum(job not in ended for job in self.accepted)

    def _try(self, order: dict[str, object], key: str) -> str | None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/train", json.dumps(order).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return str(json.load(answer)["id"])
        except urllib.error.HTTPError as err:
            if err.code < 500:
                raise SystemExit(f"The order was refused: {err.read().decode()}") from err
            return None
        except (OSError, HTTPException, ValueError):  # killed in the middle of it
            return None
