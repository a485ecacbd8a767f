"""The zoo's entries in training, side by side: started, watched, ended."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from models.store import Store
from tools.zoo.children import Child, Start
from tools.zoo.planning import Outlook, Room, Standing, startable, survey, was_short_of_memory
from tools.zoo.report import ended_line, progress_line, started_line, why_not
from tools.zoo.table import Entry

LOOK_EVERY_S = 2.0
TELL_EVERY_S = 30.0
SAVE_S = 60.0
"""How long children may take to save their state when they are to end, seconds."""


class Ending(StrEnum):
    """Why a session ended: nothing was left, or it was to stop and all was saved, or not all."""

    OVER = "over"
    SAVED = "saved"
    LOST = "lost"


@dataclass(slots=True, kw_only=True)
class _Running:
    entry: Entry
    child: Child
    had_company: bool = False


class Session:
    """Trains entries until all have ended or it is to stop.

    Args:
        store: Where their jobs are; all that is known of them is read there.
        room: How many fit side by side.
        start: Starts a child.
        tell: Told what happens, one line each.
        save_s: How long children may take to save, seconds.
    """

    def __init__(
        self,
        store: Store,
        room: Room,
        start: Start,
        tell: Callable[[str], None],
        save_s: float = SAVE_S,
    ) -> None:
        self._store, self._room, self._start, self._tell = store, room, start, tell
        self._save_s = save_s
        self._waiting: list[Entry] = []
        self._running: list[_Running] = []
        self._once_more: list[Entry] = []
        self._anew: set[str] = set()
        self._busy: set[str] = set()
        self._ours: set[str] = set()
        self._tell_at = time.monotonic() + TELL_EVERY_S

    def carry_out(self, entries: Sequence[Entry], should_stop: Callable[[], bool]) -> Ending:
        """Train entries.

        Args:
            entries: Those that are to be trained, also if their last job failed.
            should_stop: Asked all the time; then children save their state.
        """
        self._waiting = list(entries)
        ended = [each for each in survey(entries, self._store) if each.standing is Standing.ENDED]
        self._anew = {each.entry.model for each in ended}
        try:
            while not should_stop():
                if not self._look():
                    return Ending.OVER
                time.sleep(LOOK_EVERY_S)
            return self._end()
        finally:  # for whatever is raised, a second Ctrl-C too
            for running in self._running:
                running.child.kill()

    def _look(self) -> bool:
        """Do what there is to do; return whether something is left to wait for."""
        self._collect()
        self._start_what_fits()
        for running in self._running:
            running.had_company |= len(self._running) > 1
        self._follow()
        return bool(self._running or self._waiting or self._once_more)

    # --- starting

    def _start_what_fits(self) -> None:
        if self._once_more and not (self._running or self._waiting):
            entry = self._once_more.pop(0)
            self._waiting.append(entry)
            self._anew.add(entry.model)
        outlooks = [self._settled(each) for each in survey(self._waiting, self._store, self._ours)]
        beside = [running.entry for running in self._running]
        for each in startable(outlooks, beside, self._room):
            self._begin(each)

    def _settled(self, each: Outlook) -> Outlook:
        """Return an outlook; take an entry off the list if it ended in another process."""
        model = each.entry.model
        if each.standing is Standing.ENDED and model in self._anew:
            return replace(each, standing=Standing.TO_DO, job=None)
        if each.standing is Standing.BUSY and model not in self._busy:
            self._busy.add(model)
            self._tell(f"{model}: {why_not(each)}")
        if each.standing in (Standing.DONE, Standing.ENDED):
            self._waiting.remove(each.entry)
            self._tell_end(each)
        return each

    def _begin(self, each: Outlook) -> None:
        job = each.job.id if each.job and each.standing is Standing.INTERRUPTED else None
        self._waiting.remove(each.entry)
        child = self._start(each.entry, job)
        self._running.append(_Running(entry=each.entry, child=child))
        self._tell(started_line(each, child.log))

    # --- watching

    def _collect(self) -> None:
        """Judge the children that have ended."""
        for running in [each for each in self._running if each.child.status() is not None]:
            self._note_jobs()
            self._running.remove(running)
            [each] = survey([running.entry], self._store, self._ours)
            self._judge(running, each)

    def _judge(self, running: _Running, each: Outlook) -> None:
        status = running.child.status()
        was_short = status == -signal.SIGKILL or (each.job and was_short_of_memory(each.job))
        if each.standing is not Standing.DONE and was_short and running.had_company:
            self._once_more.append(running.entry)
            self._tell(f"{running.entry.model}: {why_not(each, status)} Once more, alone, later.")
        else:
            self._tell_end(each, running)

    def _tell_end(self, each: Outlook, running: _Running | None = None) -> None:
        if each.standing is Standing.DONE:
            self._tell(ended_line(each, self._store))
            return
        log = f" Its log: {running.child.log}" if running else ""
        status = running.child.status() if running else None
        self._tell(f"{each.entry.model}: {why_not(each, status)}{log}")

    def _follow(self) -> None:
        """Tell how far everything is, from time to time."""
        outlooks = self._note_jobs()
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_EVERY_S
            for each in outlooks:
                self._tell(progress_line(each))

    def _note_jobs(self) -> list[Outlook]:
        """Remember which jobs are our children's; return how far each is."""
        entries = [running.entry for running in self._running]
        outlooks = survey(entries, self._store, self._ours)
        self._ours |= {e.job.id for e in outlooks if e.job and not e.job.status.has_ended}
        return outlooks

    # --- ending

    def _end(self) -> Ending:
        """Have all children save their state; return whether all did in time."""
        if self._running:
            self._tell(f"Saving {', '.join(each.entry.model for each in self._running)} ...")
        for running in self._running:
            running.child.ask_to_end()
        deadline = time.monotonic() + self._save_s
        lost = [
            running
            for running in self._running
            if not running.child.wait(max(0.0, deadline - time.monotonic()))
        ]
        for running in lost:
            running.child.kill()
            self._tell(f"{running.entry.model}: did not save in {self._save_s:g} s; it was ended.")
        return Ending.LOST if lost else Ending.SAVED
