"""A store, a queue, and real worker processes over them."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from models.store import Store
from models.store.records import Budget, ImportOrder, JobKind, JobStatus, TrainingOrder
from tests.records import training_order
from tests.worker.waiting import is_running, until
from worker.queue import enqueue
from worker.redis_client import connect
from worker.settings import WorkerSettings

STEPPING = ("-m", "tests.integration.stepper")
REAL = (
    "-c",
    "from worker.main import main; from worker.settings import WorkerSettings; "
    "raise SystemExit(main(WorkerSettings()))",
)


@dataclass
class House:
    """A Valkey, a store, and the workers over them."""

    settings: WorkerSettings
    store: Store
    command: tuple[str, ...] = STEPPING
    workers: list[subprocess.Popen] = field(default_factory=list)
    log: Path | None = None

    def worker(self, **more: str) -> subprocess.Popen:
        """Start a worker."""
        environment = {**os.environ, **self.settings.environment(), **more}  # noqa: TID251
        command, top = [sys.executable, *self.command], Path(__file__).parents[2]
        with ExitStack() as opened:
            log = opened.enter_context(self.log.open("ab")) if self.log else None
            self.workers.append(
                subprocess.Popen(command, env=environment, cwd=top, stdout=log, stderr=log)
            )
        return self.workers[-1]

    def told(self) -> str:
        """Return what the workers have printed."""
        return self.log.read_text() if self.log and self.log.exists() else ""

    def job(self, steps: int = 100) -> str:
        """Order a job that counts, and queue it."""
        return self.submit(JobKind.TRAIN, training_order(budget=Budget(kimg=steps / 100)))

    def submit(self, kind: JobKind, order: TrainingOrder | ImportOrder) -> str:
        """Write a job down and queue it, as the front end does."""
        record, _ = self.store.jobs.create(kind, order)
        redis = connect(self.settings.redis_url)
        enqueue(redis, record.id, 0, self.settings)
        redis.close()
        return record.id

    def trace(self) -> list[list[int]]:
        """Return process, parent, niceness and step of every step that was taken."""
        path = self.settings.data / "trace"
        lines = path.read_text().splitlines() if path.exists() else []
        return [[int(word) for word in line.split()] for line in lines]

    def child(self, of: subprocess.Popen) -> int:
        """Wait until a worker's job process steps and return its id."""

        def find() -> int | None:
            pids = [pid for pid, parent, *_ in self.trace() if parent == of.pid]
            return pids[-1] if pids and is_running(pids[-1]) else None

        return until(find, 60, "a job runs") or 0

    def status(self, job: str, status: JobStatus, timeout_s: float = 30) -> None:
        """Wait for a job's status."""
        what = f"{job} is {status.value}"
        until(lambda: self.store.jobs.get(job).status is status, timeout_s, what)

    def events(self, job: str) -> list[str]:
        """Return the types of a job's events, but for its progress."""
        types = [event.type for event in self.store.jobs.events(job)]
        return [kind for kind in types if kind != "progress"]

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
