"""Requests waiting for a forward pass: a queue for each slot, and the slots take turns."""

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
"""Encodes one picture, (H, W, 3) uint8, given its index in the request."""


@dataclass(slots=True, eq=False)
class RenderRequest:
    """One client's points, waiting or partly rendered.

    Attributes:
        slot: Renders them.
        points: What to render.
        encode: Makes a file of each picture; None returns pixels.
        entered_at: When it arrived, seconds of the monotonic clock.
        expires_at: When its client gives up, likewise.
        future: Resolves to the result, in the client's event loop.
        given: How many points are in a batch or done.
        made: How many points are done.
        parts: Results, by the index of their first point.
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
        """How many points are not in a batch yet."""
        return len(self.points) - self.given

    def is_awaited(self, now: float) -> bool:
        """Whether its client still waits for it."""
        return now < self.expires_at and not self.future.done()

    def take(self, count: int) -> "Part":
        """Return its next points, now part of a batch."""
        self.given += count
        return Part(self, self.given - count, self.points[self.given - count : self.given])

    def add(self, begin: int, made: Any, count: int) -> bool:
        """Add the result of some points; return whether it is complete now."""
        self.parts[begin] = made
        self.made += count
        return self.made == len(self.points)

    def result(self) -> Any:
        """Return the whole result in order: (N, H, W, 3) uint8, or N files."""
        parts = [self.parts[begin] for begin in sorted(self.parts)]
        if self.encode is None:
            return np.concatenate(parts)
        return [file for files in parts for file in files]


@dataclass(frozen=True, slots=True)
class Part:
    """Some points of a request, in a batch with those of others.

    Attributes:
        request: The request that they are of.
        begin: Index of the first one in the request.
        points: The points.
    """

    request: RenderRequest
    begin: int
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass renders: parts of requests for the same slot."""

    slot: Slot
    parts: list[Part]

    @property
    def points(self) -> list[Point]:
        """All points, in the order of the parts."""
        return [point for part in self.parts for point in part.points]


class FairQueue:
    """Waiting requests, first in first out within each slot. Not thread-safe."""

    def __init__(self) -> None:
        self._queues: OrderedDict[Slot, list[RenderRequest]] = OrderedDict()
        self._turns: dict[Slot, int] = {}
        self.waiting = 0
        """Pictures that are not in a batch yet."""

    def requests(self) -> list[RenderRequest]:
        """Return all waiting requests."""
        return [request for queue in self._queues.values() for request in queue]

    def enter(self, request: RenderRequest) -> None:
        """Append a request to its slot's queue."""
        self._queues.setdefault(request.slot, []).append(request)
        self.waiting += request.left

    def leave(self, request: RenderRequest) -> None:
        """Remove a request, if it still waits."""
        queue = self._queues.get(request.slot, [])
        if request.left and request in queue:
            self._replace(request.slot, [each for each in queue if each is not request])
            self.waiting -= request.left

    def drop_unawaited(self, now: float) -> None:
        """Remove requests whose clients have given up, before they cost a forward pass."""
        for slot, queue in list(self._queues.items()):
            kept = [request for request in queue if request.is_awaited(now)]
            if len(kept) < len(queue):
                self.waiting -= sum(r.left for r in queue) - sum(r.left for r in kept)
                self._replace(slot, kept)

    def next_slot(self) -> Slot | None:
        """Return the slot whose turn it is; None if nothing waits."""
        return next(iter(self._queues), None)

    def left_of(self, slot: Slot) -> int:
        """Return how many pictures of a slot wait."""
        return sum(request.left for request in self._queues.get(slot, ()))

    def gather(self, slot: Slot, places: int) -> Batch:
        """Return a slot's next batch, of at most so many pictures; the next slot has its turn."""
        queue = self._queues[slot]
        # Rounded up and down alternately: a batch of one must not always favor the same side.
        turn = self._turns[slot] = 1 - self._turns.get(slot, 0)
        shares = fair_shares(places, [r.left for r in queue], (places + turn) // 2)
        parts = [r.take(share) for r, share in zip(queue, shares, strict=True) if share]
        self.waiting -= sum(shares)
        self._replace(slot, [request for request in queue if request.left])
        if slot in self._queues:
            self._queues.move_to_end(slot)
        return Batch(slot, parts)

    def _replace(self, slot: Slot, queue: list[RenderRequest]) -> None:
        if queue:
            self._queues[slot] = queue
        else:
            del self._queues[slot]
            self._turns.pop(slot, None)


def fair_shares(places: int, wanted: Sequence[int], for_short: int) -> list[int]:
    """Divide the places of a batch among waiting requests.

    Some go to the requests with the least left, so that a single picture overtakes a crowd of
    sixty-fours and what has begun finishes soon; the others go in order of arrival, so that
    no request starves.

    Args:
        places: Size of the batch.
        wanted: What each request wants in order of arrival, at least 1.
        for_short: How many places go to the shortest requests first.

    Returns:
        Each request's share; in sum `places`, or all that is wanted.
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
