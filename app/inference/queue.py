"""Who waits for pictures, and who is next: a line for each slot, and the slots take turns."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.slot import Slot
from models.inference.latents import Point

Pixels = NDArray[np.uint8]

Encode = Callable[[int, Pixels], bytes]
"""Makes a file of one picture, (H, W, 3), given its place in the request."""


@dataclass(slots=True, eq=False)
class Request:
    """Points of one client on their way.

    Attributes:
        slot: What renders them.
        points: What to render.
        encode: Makes a file of each picture; None: pixels are wanted.
        entered_at: When it came, seconds of the monotonic clock.
        expires_at: When nobody waits for it any more, likewise.
        future: Belongs to the client's event loop.
        given: Points that have a place in a batch.
        made: Points that are done.
        parts: What is done, by the number of its first point.
    """

    slot: Slot
    points: Sequence[Point]
    encode: Encode | None
    entered_at: float
    expires_at: float
    future: "asyncio.Future[Any]"
    given: int = 0
    made: int = 0
    parts: dict[int, Any] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Points without a place in a batch."""
        return len(self.points) - self.given

    def is_awaited(self, now: float) -> bool:
        """Whether anybody still waits for it."""
        return now < self.expires_at and not self.future.done()

    def take(self, count: int) -> "Part":
        """Give the next points a place."""
        self.given += count
        return Part(self, self.given - count, self.points[self.given - count : self.given])

    def add(self, begin: int, made: Any, count: int) -> bool:
        """Note what was made of some points; return whether that was the last of it."""
        self.parts[begin] = made
        self.made += count
        return self.made == len(self.points)

    def result(self) -> Any:
        """Return all that was made, in order: (N, H, W, 3) uint8, or N files."""
        parts = [self.parts[begin] for begin in sorted(self.parts)]
        if self.encode is None:
            return np.concatenate(parts)
        return [file for files in parts for file in files]


@dataclass(frozen=True, slots=True)
class Part:
    """Points of a request that share a batch with others'.

    Attributes:
        request: Whose they are.
        begin: Number of the first one in its request.
        points: Themselves.
    """

    request: Request
    begin: int
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass renders: parts of requests that share a slot."""

    slot: Slot
    parts: list[Part]

    @property
    def points(self) -> list[Point]:
        """All points, in the order of the parts."""
        return [point for part in self.parts for point in part.points]


class Lines:
    """Requests that wait, a line for each slot. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Slot, list[Request]] = OrderedDict()
        self._turns: dict[Slot, int] = {}
        self.waiting = 0
        """Pictures that have no place in a batch yet."""

    def requests(self) -> list[Request]:
        """Return all who wait."""
        return [request for line in self._lines.values() for request in line]

    def enter(self, request: Request) -> None:
        """Put a request at the end of its line."""
        self._lines.setdefault(request.slot, []).append(request)
        self.waiting += request.left

    def leave(self, request: Request) -> None:
        """Take a request out, if it still stands in a line."""
        line = self._lines.get(request.slot, [])
        if request.left and request in line:
            self._keep(request.slot, [each for each in line if each is not request])
            self.waiting -= request.left

    def drop_unawaited(self, now: float) -> None:
        """Take out whom nobody waits for any more, before they cost a forward pass."""
        for slot, line in list(self._lines.items()):
            kept = [request for request in line if request.is_awaited(now)]
            if len(kept) < len(line):
                self.waiting -= sum(r.left for r in line) - sum(r.left for r in kept)
                self._keep(slot, kept)

    def next_slot(self) -> Slot | None:
        """Return the slot whose turn it is; None if nobody waits."""
        return next(iter(self._lines), None)

    def left_of(self, slot: Slot) -> int:
        """Return how many pictures of a slot wait."""
        return sum(request.left for request in self._lines.get(slot, ()))

    def gather(self, slot: Slot, places: int) -> Batch:
        """Deal the places of a batch out to a slot's line, and let the next slot have its turn."""
        line = self._lines[slot]
        # By turns, so that a batch with a single place is not always the same one's.
        turn = self._turns[slot] = 1 - self._turns.get(slot, 0)
        shares = deal(places, [r.left for r in line], (places + turn) // 2)
        parts = [r.take(share) for r, share in zip(line, shares, strict=True) if share]
        self.waiting -= sum(shares)
        self._keep(slot, [request for request in line if request.left])
        if slot in self._lines:
            self._lines.move_to_end(slot)
        return Batch(slot, parts)

    def _keep(self, slot: Slot, line: list[Request]) -> None:
        if line:
            self._lines[slot] = line
        else:
            del self._lines[slot]
            self._turns.pop(slot, None)


def deal(places: int, wanted: Sequence[int], for_short: int) -> list[int]:
    """Deal the places of a batch out.

    Some go to whom least is left, so that one picture passes by a crowd of sixty-fours and
    what has begun ends soon; all others in the order of the line, so that nobody is overtaken
    for ever.

    Args:
        places: How many there are.
        wanted: What each one in the line wants, at least 1.
        for_short: How many go to the short ones first.

    Returns:
        What each one gets; in sum `places`, or all that is wanted.
    """
    shares = [0] * len(wanted)
    short = sorted(range(len(wanted)), key=wanted.__getitem__)
    for count, order in ((min(for_short, places), short), (places, range(len(wanted)))):
        left = min(count, places)
        for i in order:
            if not left:
                break
            more = min(left, wanted[i] - shares[i])
            shares[i] += more
            left -= more
            places -= more
    return shares
