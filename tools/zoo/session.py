"""Trains several entries of the zoo concurrently: starts, watches and stops their processes."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from models.store import Store
from tools.zoo.planning import Capacity, EntryStatus, State, startable, survey
from tools.zoo.report import ended_line, progress_line, started_line
from tools.zoo.table import Entry

POLL_EVERY_S = 2.0
REPORT_EVERY_S = 30.0
SAVE_S = 60.0
"""How long processes may take to save their state when they are asked to stop."""


class Process(Protocol):
    """The part of `subprocess.Popen` that a session uses."""

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def terminate(self) -> None:
        """Ask it to save its state and exit."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit; raise `subprocess.TimeoutExpired` after the timeout."""

    def kill(self) -> None:
        """Kill it; does nothing once it has exited."""


Start = Callable[[Entry, str | None], Process]
"""Starts an entry's training, or resumes the job of that id."""


class Outcome(StrEnum):
    """How a session ended: all entries ended, or it was stopped with or without losses."""

    COMPLETE = "complete"
    SAVED = "saved"
    LOST = "lost"


@dataclass(slots=True, kw_only=True)
class _Running:
    entry: Entry
    process: Process
    log: Path


class Session:
    """Trains entries until all have ended or it is stopped.

    Args:
        store: Where their jobs are.
        capacity: How many fit at once.
        start: Starts a process.
        log: Receives a line for each event.
        logs: Folder of the processes' own logs.
        save_s: How long processes may take to save their state.
    """

    def __init__(
        self,
        store: Store,
        capacity: Capacity,
        start: Start,
        log: Callable[[str], None],
        logs: Path,
        save_s: float = SAVE_S,
    ) -> None:
        self._store, self._capacity, self._start, self._log = store, capacity, start, log
        self._logs, self._save_s = logs, save_s
        self._waiting: list[EntryStatus] = []
        self._running: list[_Running] = []
        self._report_at = time.monotonic() + REPORT_EVERY_S

    def run(self, entries: Sequence[EntryStatus], should_stop: Callable[[], bool]) -> Outcome:
        """Train entries.

        Args:
            entries: What to train; one that failed before starts over.
            should_stop: Polled; once it is true, all processes save their state.
        """
        self._waiting = list(entries)
        try:
            while not should_stop():
                self._collect()
                self._start_what_fits()
                if not self._running:
                    return Outcome.COMPLETE
                self._report()
                time.sleep(POLL_EVERY_S)
            return self._stop()
        finally:  # also on a second Ctrl-C: no process may outlive the session
            for running in self._running:
                running.process.kill()

    def _collect(self) -> None:
        """Report on the processes that have exited."""
        for running in list(self._running):
            status = running.process.poll()
            if status is not None:
                self._running.remove(running)
                [each] = survey([running.entry], self._store)
                self._log(ended_line(each, self._store, status, running.log))

    def _start_what_fits(self) -> None:
        beside = [running.entry for running in self._running]
        for each in startable(self._waiting, beside, self._capacity):
            job = each.job.id if each.job and each.state is State.INTERRUPTED else None
            log = self._logs / f"{each.entry.model}.log"
            process = self._start(each.entry, job)
            self._waiting.remove(each)
            self._running.append(_Running(entry=each.entry, process=process, log=log))
            self._log(started_line(each, log))

    def _report(self) -> None:
        """Log how far each entry is, from time to time."""
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + REPORT_EVERY_S
        for each in survey([running.entry for running in self._running], self._store):
            self._log(progress_line(each))

    def _stop(self) -> Outcome:
        """Have all processes save their state; kill those that take too long."""
        if self._running:
            self._log(f"Saving {', '.join(each.entry.model for each in self._running)} ...")
        for running in self._running:
            running.process.terminate()
        deadline = time.monotonic() + self._save_s
        outcome = Outcome.SAVED
        for running in self._running:
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.kill()
                self._log(f"{running.entry.model}: not saved within {self._save_s:g} s; killed.")
                outcome = Outcome.LOST
        return outcome
