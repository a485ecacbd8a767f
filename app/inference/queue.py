"""Requests waiting for a forward pass: a queue per slot, and the slots take turns."""

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
        encode: Encodes each picture; None returns pixels.
        entered_at: Time of arrival, on the monotonic clock, seconds.
        expires_at: Deadline, on the same clock.
        future: Resolves to the result, in the client's event loop.
        given: Number of points in a batch or done.
        made: Number of points done.
        parts: Results by the index of their first point.
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
        """Number of points that are not in a batch yet."""
        return len(self.points) - self.given

    def is_awaited(self, now: float) -> bool:
        """Return whether its client is still waiting."""
        return now < self.expires_at and not self.future.done()

    def take(self, count: int) -> "Part":
        """Move its next points into a batch."""
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
    """The points of one request in a batch."""

    request: RenderRequest
    begin: int  # index of the first point in the request
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Batch:
    """A forward pass: parts of requests for the same slot, so that no response mixes versions."""

    slot: Slot
    parts: list[Part]

    @property
    def points(self) -> list[Point]:
        """All points, in the order of the parts."""
        return [point for part in self.parts for point in part.points]


class FairQueue:
    """Waiting requests, first in first out within each slot. Not thread-safe."""

    def __init__(self) -> None:
        # Requests are keys, in order of arrival: when a thousand clients hang up at once, each is
        # removed without a look at the others.
        self._queues: OrderedDict[Slot, dict[RenderRequest, None]] = OrderedDict()
        self._turns: dict[Slot, int] = {}
        self.waiting = (
            0  # pictures not in a batch yet; a sum over all requests at each would be slow
        )

    def requests(self) -> list[RenderRequest]:
        """Return all waiting requests."""
        return [request for queue in self._queues.values() for request in queue]

    def enter(self, request: RenderRequest) -> None:
        """Append a request to its slot's queue."""
        self._queues.setdefault(request.slot, {})[request] = None
        self.waiting += request.left

    def leave(self, request: RenderRequest) -> None:
        """Remove a request that is still waiting."""
        queue = self._queues.get(request.slot)
        if queue is None or request not in queue:
            return
        del queue[request]
        self.waiting -= request.left
        self._end_if_empty(request.slot)

    def drop_unawaited(self, now: float) -> None:
        """Remove requests whose clients have given up, before they cost a forward pass."""
        for slot, queue in list(self._queues.items()):
            for request in [each for each in queue if not each.is_awaited(now)]:
                del queue[request]
                self.waiting -= request.left
            self._end_if_empty(slot)

    def next_slot(self) -> Slot | None:
        """Return the slot whose turn it is; None if nothing is waiting."""
        return next(iter(self._queues), None)

    def left_of(self, slot: Slot) -> int:
        """Return the number of waiting pictures of a slot."""
        return sum(request.left for request in self._queues.get(slot, ()))

    def gather(self, slot: Slot, places: int) -> Batch:
        """Return a slot's next batch, at most `places` pictures, and end its turn."""
        queue = self._queues[slot]
        # Rounded up and down in turn: a batch of one must not always favor short requests.
        turn = self._turns[slot] = 1 - self._turns.get(slot, 0)
        shares = fair_shares(places, [r.left for r in queue], (places + turn) // 2)
        parts = [r.take(share) for r, share in zip(queue, shares, strict=True) if share]
        self.waiting -= sum(shares)
        for part in parts:
            if not part.request.left:
                del queue[part.request]
        self._queues.move_to_end(slot)
        self._end_if_empty(slot)
        return Batch(slot, parts)

    def _end_if_empty(self, slot: Slot) -> None:
        if not self._queues[slot]:
            del self._queues[slot]
            self._turns.pop(slot, None)


def fair_shares(places: int, wanted: Sequence[int], for_short: int) -> list[int]:
    """Divide the places of a batch among waiting requests.

    Args:
        places: Size of the batch.
        wanted: Remaining pictures of each request in order of arrival, at least 1.
        for_short: Number of places that go to the shortest requests first.

    Returns:
        The share of each request; their sum is `places`, or all that is wanted.
    """
    # Shortest first lets a single picture overtake requests for 64, and what has begun finish
    # soon; order of arrival for the other places keeps any request from starving.
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
