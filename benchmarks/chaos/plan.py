"""What is killed and what fails, in an order that a seed determines."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from models.store.records import Phase
from tests.worker.redis_proxy import Mode


class Target(StrEnum):
    """What a kill hits."""

    JOB = "job process"
    WORKER = "worker"
    VALKEY = "valkey"
    FRONT_END = "front end"
    EVERYTHING = "everything"


class How(StrEnum):
    """What it is hit by."""

    KILL = "SIGKILL"
    TERM = "SIGTERM"
    STOP = "SIGSTOP and SIGCONT"


TARGETS = {
    Target.JOB: 8,
    Target.WORKER: 5,
    Target.VALKEY: 3,
    Target.FRONT_END: 2,
    Target.EVERYTHING: 2,
}
HOWS = {How.KILL: 6, How.TERM: 3, How.STOP: 2}
PHASES = (Phase.PREPARING, Phase.TRAINING, Phase.MEASURING, Phase.PUBLISHING)
FAULTS = tuple(mode for mode in Mode if mode is not Mode.NORMAL)
STOPPED_S = (1.0, 12.0)  # the longest of them outlasts a lease
FAULT_S = (0.5, 6.0)
PAUSE_S = (0.2, 2.5)


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill.

    Attributes:
        phase: Of the job that is waited for and hit, for a job process or worker.
        pause_s: Before it.
        for_s: How long a stopped process is stopped.
    """

    target: Target
    how: How
    phase: Phase
    pause_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A Redis that misbehaves, or, without a mode, a full disk, for some seconds."""

    mode: Mode | None
    for_s: float


def plan(seed: int, kills: int) -> Iterator[Blow | Fault]:
    """Yield the given number of kills, and after every third of them a fault."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    for number in range(kills):
        target = dice.choices(list(TARGETS), list(TARGETS.values()))[0]
        how = dice.choices(list(HOWS), list(HOWS.values()))[0]
        yield Blow(
            target=target,
            how=How.KILL if target is Target.EVERYTHING else how,
            phase=PHASES[number % len(PHASES)],
            pause_s=dice.uniform(*PAUSE_S),
            for_s=dice.uniform(*STOPPED_S),
        )
        if number % 3 == 2:
            modes = (None, *FAULTS)
            yield Fault(modes[(number // 3) % len(modes)], dice.uniform(*FAULT_S))
