"""Carrying out a plan: who is hit when, and what it was doing."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.chaos.fleet import Fleet, jobs_of, send
from benchmarks.chaos.plan import Blow, Fault, How, Target
from models.store import Store
from models.store.names import timestamp
from models.store.records import JobRecord, JobStatus, Phase

WAIT_S = 8.0  # for a job in the phase that is wanted; then any job will do
LOOK_S = 0.02

Hit = tuple[int, str]
"""A job process and its job."""


class Striker:
    """Carries out a plan.

    Args:
        fleet: What is hit.
        store: Its store.

    Attributes:
        blows: How often each target was hit by what.
        phases: How often a job was hit in each phase.
        faults: How often Redis failed in each way, or the disk was full.
        disturbed: When that was, and when a process was stopped: from and to, seconds since 1970.
    """

    def __init__(self, fleet: Fleet, store: Store) -> None:
        self._fleet, self._store = fleet, store
        self.blows: Counter[tuple[Target, How]] = Counter()
        self.phases: Counter[Phase] = Counter()
        self.faults: Counter[str] = Counter()
        self.disturbed: list[tuple[float, float]] = []

    def do(self, step: Blow | Fault) -> None:
        """Carry out one step of the plan."""
        if isinstance(step, Fault):
            self._fail(step)
            return
        time.sleep(step.pause_s)
        self.blows[step.target, step.how] += 1
        if step.target is Target.EVERYTHING:
            self.phases.update(record.phase for record in self._started() if record.phase)
            self._note("SIGKILL of everything")
            self._fleet.kill_all()
        else:
            self._strike(self._pid(step), step)

    def _fail(self, fault: Fault) -> None:
        """Let Redis misbehave, or fill the disk, for a while."""
        self.faults[fault.mode or "full disk"] += 1
        self._note(f"{fault.mode or 'full disk'} for {fault.for_s:.1f} s")
        with self._disturbing():
            if fault.mode is not None:
                with self._fleet.proxy.during(fault.mode):
                    time.sleep(fault.for_s)
            else:
                self._fleet.full.touch()
                time.sleep(fault.for_s)
                self._fleet.full.unlink()

    def _pid(self, blow: Blow) -> int:
        """Return the process to hit; one with a job waits for the wanted phase."""
        if blow.target is Target.VALKEY:
            return self._fleet.pid("valkey")
        if blow.target is Target.FRONT_END:
            return self._fleet.pid("front end")
        process, job = self._wait_for(blow.phase)
        if blow.target is Target.JOB:
            return process
        by_worker = {name: self._fleet.pid(name) for name in self._fleet.workers()}
        return next(
            (pid for pid in by_worker.values() if job in jobs_of(pid).values()),
            by_worker["worker 1"],  # the job has just ended
        )

    def _wait_for(self, phase: Phase) -> Hit:
        """Return a running job, in this phase if there is one soon."""
        deadline = time.monotonic() + WAIT_S
        while True:
            any_will_do = time.monotonic() > deadline
            running = {job: pid for pid, job in self._fleet.job_processes().items()}
            for record in self._started():
                if record.id in running and record.phase and (record.phase is phase or any_will_do):
                    self.phases[record.phase] += 1
                    return running[record.id], record.id
            time.sleep(LOOK_S)

    def _strike(self, pid: int, blow: Blow) -> None:
        self._note(f"{blow.how} of {blow.target} {pid}")
        if blow.how is How.STOP:
            with self._disturbing():
                send(pid, signal.SIGSTOP)
                time.sleep(blow.for_s)
                send(pid, signal.SIGCONT)
        else:
            send(pid, signal.SIGKILL if blow.how is How.KILL else signal.SIGTERM)

    @contextmanager
    def _disturbing(self) -> Iterator[None]:
        began = time.time()
        yield
        self.disturbed.append((began, time.time()))

    def _note(self, what: str) -> None:
        """Write down what is done, to be read beside the logs."""
        with (self._fleet.folder / "chaos.txt").open("a") as notes:
            notes.write(f"{timestamp()} {what}\n")

    def _started(self) -> list[JobRecord]:
        return [r for r in self._store.jobs.list() if r.status is JobStatus.STARTED]
