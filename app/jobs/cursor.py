"""Where a client of the event stream of all jobs stands: the id of each of its events.

A cursor names every job that may still say something, with the number of the last entry of its
history and a checksum of the last state that the client has. Jobs that were over and completely
told are only counted in, by one checksum: a store may hold thousands of them, and a cursor must
fit into a header.
"""

import re
import time
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from models.store.names import is_job
from models.store.records import JobRecord
from models.store.serialization import dumps

# A job may be created by a machine whose clock is behind. One this young is always named, so
# that a job without a name in a cursor is either new or was over when the cursor was made.
NAMED_S = 600.0
MOST_NAMED = 200  # a longer cursor might not fit into a header: the client gets a snapshot

_FORM = re.compile(r"(\d{1,12})-([0-9a-f]{8})((?:-[a-z0-9.]{1,100})*)")
_PLACE = re.compile(r"([a-z0-9.]+)\.(\d+)\.([0-9a-f]{8})")
_TOO_MANY = re.compile(r"\d{1,12}-many")


@dataclass(frozen=True, slots=True)
class Place:
    """How much of a job a client has.

    Attributes:
        last: Number of the last event.
        state: `state_of` the job, as last told; 0 if it was not.
    """

    last: int = 0
    state: int = 0


class Settled:
    """The jobs that a cursor does not name, with the checksum over their ids."""

    def __init__(self) -> None:
        self._jobs: set[str] = set()
        self._sum: int | None = None

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def add(self, job: str) -> None:
        """Count a job in."""
        self._jobs.add(job)
        self._sum = None

    def discard(self, job: str) -> None:
        """No longer count a job in."""
        self._jobs.discard(job)
        self._sum = None

    def checksum(self) -> int:
        """Return the checksum, which is computed again only after a change."""
        if self._sum is None:
            self._sum = _checksum(self._jobs)
        return self._sum


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the histories of all jobs.

    Attributes:
        made_s: When it was made, seconds since 1970.
        told: Checksum over the ids of the jobs that are not named.
        reached: How much the client has, by job.
    """

    made_s: int
    told: int
    reached: Mapping[str, Place]

    @classmethod
    def at(
        cls,
        known: Iterable[JobRecord],
        reached: Mapping[str, Place],
        over: Collection[str],
        settled: Settled | None = None,
    ) -> Self:
        """Return the cursor of a client.

        Args:
            known: The jobs that it has been told of, but for those in `settled`.
            reached: How much of each it has.
            over: Jobs of which it has been told everything.
            settled: Those that its last cursor did not name; receives those that this one does not.
        """
        made_s = int(time.time())
        settled = Settled() if settled is None else settled
        named = {}
        for record in known:
            if record.id in over and not is_young(record, made_s):
                settled.add(record.id)
            else:
                named[record.id] = reached[record.id]
        return cls(made_s, settled.checksum(), named)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the cursor that a client sends back, or None for one that cannot be used."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        reached = {}
        for part in found[3].split("-")[1:]:
            place = _PLACE.fullmatch(part)
            if place is None or not is_job(job := place[1].replace(".", "-")):
                return None
            reached[job] = Place(int(place[2]), int(place[3], 16))
        return cls(int(found[1]), int(found[2], 16), reached)

    def __str__(self) -> str:
        if len(self.reached) > MOST_NAMED:
            return f"{self.made_s}-many"
        # Dots, which no job's id has, stand for its dashes, since dashes part the jobs.
        parts = [
            f"-{job.replace('-', '.')}.{place.last}.{place.state:08x}"
            for job, place in self.reached.items()
        ]
        return f"{self.made_s}-{self.told:08x}{''.join(parts)}"

    def resumes(self, records: Iterable[JobRecord]) -> bool:
        """Return whether the jobs that it does not name are as they were when it was made."""
        return self.told == _checksum(record.id for record in records if self.has_told(record))

    def has_told(self, record: JobRecord) -> bool:
        """Return whether the client has been told everything of a job that is not named."""
        return record.id not in self.reached and not is_young(record, self.made_s)


def is_cursor(text: str) -> bool:
    """Return whether a text has the form of a cursor."""
    return bool(_FORM.fullmatch(text) or _TOO_MANY.fullmatch(text))


def state_of(record: JobRecord) -> int:
    """Return a checksum of a job's state."""
    return zlib.crc32(dumps(replace(record, events=0)))  # whose number the event itself tells


def _checksum(jobs: Iterable[str]) -> int:
    return zlib.crc32(",".join(sorted(jobs)).encode())


def is_young(record: JobRecord, now_s: float | None = None) -> bool:
    """Return whether cursors name a job even when it is over."""
    now_s = time.time() if now_s is None else now_s
    return datetime.fromisoformat(record.created_at).timestamp() > now_s - NAMED_S
