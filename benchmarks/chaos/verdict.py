"""What became of the jobs, from their records and histories alone."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.striking import Striker
from models.store import Store
from models.store.records import Event, JobRecord, JobStatus

WAITING = ("queued", "interrupted", "paused")  # events after which no process has the job
ENDS = tuple(status.value for status in JobStatus if status.has_ended)
SILENCE_S = 30.0
TRACEBACK = re.compile(r"^Traceback.*\n(?:[ ].*\n)*([\w.]+)", re.MULTILINE)

Name = TypeVar("Name", bound=str)

Curve = dict[int, object]
"""Losses by step."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a run.

    Attributes:
        ended: Jobs by status.
        reasons: Why jobs failed, by number.
        lost: Accepted jobs that are gone, have not ended, or failed with nothing published.
        doubled: Jobs that ended, were published or promoted more than once, or whose steps two
            processes took at once; what happened, a sentence each.
        resumed: Jobs that went on from a saved state.
        interruptions: How often a job was interrupted or paused.
        silence_s: The longest time without an entry in the history of a job that a process had,
            in which Redis and the disk worked and no process was stopped.
        whole_silence_s: The same with those times.
        steps: Steps whose losses were compared with the same step of an undisturbed job.
        different: Jobs whose losses or weights differ from those.
        blows, phases, faults: What was done, by kind.
        tracebacks: In the logs, by what was raised.
    """

    ended: Counter[str]
    reasons: Counter[str]
    lost: list[str]
    doubled: list[str]
    resumed: int
    interruptions: int
    silence_s: float
    whole_silence_s: float
    steps: int
    different: list[str]
    striker: Striker
    tracebacks: Counter[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or different; the silence depends on the machine."""
        return not (self.lost or self.doubled or self.different)

    def report(self) -> str:
        """Return it as lines of text."""
        done = self.striker
        blows = [f"{target} {how} {count}" for (target, how), count in sorted(done.blows.items())]
        lines = {
            "kills": f"{done.blows.total()}: {'; '.join(blows)}",
            "in phases": _counts(done.phases),
            "faults": f"{done.faults.total()}: {_counts(done.faults)}",
            "accepted": f"{self.ended.total()}",
            "ended": _counts(self.ended),
            "resumed": f"{self.resumed} jobs, after {self.interruptions} interruptions",
            "lost": f"{len(self.lost)} (aim 0)",
            "doubled": f"{len(self.doubled)} (aim 0)",
            "longest silence": f"{self.silence_s:.1f} s (aim {SILENCE_S:.0f} s); "
            f"{self.whole_silence_s:.1f} s with the faults within it",
            "losses and weights": f"{self.steps} steps compared, {len(self.different)} jobs differ",
            "tracebacks": _counts(self.tracebacks),
        }
        told = [*self.lost, *self.doubled, *self.different]
        told += [f"failed {count}: {reason}" for reason, count in self.reasons.items()]
        return "\n".join([f"{name:18} {text}" for name, text in lines.items()] + told)


def verdict(
    store: Store,
    calm: Mapping[str, int],
    accepted: Mapping[str, int],
    striker: Striker,
    fleet: Fleet,
) -> Verdict:
    """Look at what is in the store.

    Args:
        store: The store.
        calm: Undisturbed jobs with their variants, one of each.
        accepted: All other jobs with theirs.
        striker: Did what was done.
        fleet: Has the logs.
    """
    there = {record.id: record for record in store.jobs.list()}
    found = {job: there[job] for job in accepted if job in there}
    events = {job: store.jobs.events(job) for job in (*found, *calm)}
    models = {variant: (there[job].version, curve(events[job])) for job, variant in calm.items()}
    steps, different = 0, []
    for job, variant in accepted.items():
        if job in found:
            version, losses = models[variant]
            count, why = compare(found[job], events[job], version, losses)
            steps += count
            different += [f"{job} differs: {why}"] if why else []
    return Verdict(
        ended=Counter(str(there[job].status) if job in there else "gone" for job in accepted),
        reasons=Counter(r.reason or "" for r in found.values() if r.status is JobStatus.FAILED),
        lost=[f"{job} is lost" for job in accepted if is_lost(found.get(job))],
        doubled=[
            f"{job} doubled: {what}"
            for job, record in found.items()
            for what in twice(store, record, events[job])
        ],
        resumed=sum(any(e.type == "resumed" for e in events[job]) for job in found),
        interruptions=sum(e.type in WAITING[1:] for job in found for e in events[job]),
        silence_s=max((silence_s(events[job], striker.disturbed) for job in found), default=0.0),
        whole_silence_s=max((silence_s(events[job]) for job in found), default=0.0),
        steps=steps,
        different=different,
        striker=striker,
        tracebacks=Counter(TRACEBACK.findall(fleet.logs())),
    )


def is_lost(record: JobRecord | None) -> bool:
    """Return whether nothing came of an accepted job."""
    return record is None or not record.status.has_ended or record.version is None


def twice(store: Store, record: JobRecord, events: list[Event]) -> list[str]:
    """Return what happened to a job more than once that must happen only once."""
    kinds = Counter(event.type for event in events)
    model = str(record.order["model"])
    counts = {
        "ends": sum(kinds[kind] for kind in ENDS),
        "publications": kinds["published"],
        "versions": len(store.versions.list(model)),
        "promotions": len(store.aliases.get(model).history),
        "events of one number": max(Counter(event.id for event in events).values(), default=0),
    }
    found = [f"{count} {what}" for what, count in counts.items() if count > 1]
    return found + (["steps of two processes at once"] if not in_order(events) else [])


def in_order(events: Iterable[Event]) -> bool:
    """Return whether the steps of each process rise, and no two processes take turns."""
    last = -1
    for event in events:
        if event.type == "started":
            last = -1
        elif event.type == "progress":
            if event.data["step"] < last:
                return False
            last = event.data["step"]
    return True


def silence_s(events: list[Event], disturbed: Sequence[tuple[float, float]] = ()) -> float:
    """Return the longest time between two events of a job that a process had, seconds.

    Args:
        events: Of the job.
        disturbed: Times that do not count, seconds since 1970; they do not overlap.
    """
    gaps = (
        (_seconds(before), _seconds(after))
        for before, after in pairwise(events)
        if before.type not in WAITING
    )
    return max((end - begin - _common(begin, end, disturbed) for begin, end in gaps), default=0.0)


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event.at).timestamp()


def _common(begin: float, end: float, spans: Iterable[tuple[float, float]]) -> float:
    """Return for how long a time is within any of some spans."""
    return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in spans)


def curve(events: Iterable[Event]) -> Curve:
    """Return the losses of each step."""
    return {e.data["step"]: e.data["losses"] for e in events if e.type == "progress"}


def compare(
    record: JobRecord, events: Iterable[Event], version: str | None, losses: Curve
) -> tuple[int, str]:
    """Compare a job with an undisturbed one; return the number of steps, and what differs."""
    taken = [event.data for event in events if event.type == "progress"]
    for each in taken:
        if losses.get(each["step"]) != each["losses"]:
            return len(taken), f"the losses of step {each['step']}"
    is_other = record.status is JobStatus.FINISHED and record.version != version
    return len(taken), f"its weights are {record.version}, not {version}" if is_other else ""


def _counts(counts: Mapping[Name, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
