"""Many requests, one device: what waits is gathered into batches, counted in pictures.

One thread owns the device. It takes the next batch the moment it is free and
sleeps only when nothing waits: no timer, no polling. A batch has one slot, so no
answer mixes versions. Places in a batch are dealt out evenly to those who wait,
so a request for one picture passes through in one batch beside requests for
sixty-four. And a batch is only as large as the device renders in a quarter of a
second, so that a slow generator's crowd does not hold up the cats of a fast one.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from app.errors import Busy, DeadlineExceeded
from app.slots import Slot
from app.telemetry import Telemetry
from models.sampling import Point

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

LONGEST_BATCH_S = 0.25
FIRST_BATCH = 16
"""Places of a generator's first batch, when nobody knows yet how fast it is."""

MOST_SPEEDS = 256
"""Versions whose speed is remembered."""


@dataclass(slots=True, eq=False)
class _Request:
    """Points of one client on their way; only the batcher touches it."""

    slot: Slot
    points: list[Point]
    expires_at: float
    entered_at: float
    pixels: list[Pixels] = field(default_factory=list)
    given: int = 0  # points that have a place in a batch
    future: "Future[Pixels]" = field(default_factory=Future)

    @property
    def left(self) -> int:
        return len(self.points) - self.given

    def take(self, count: int) -> list[Point]:
        self.given += count
        return self.points[self.given - count : self.given]

    def add(self, pixels: Pixels) -> None:
        self.pixels.append(pixels)
        if sum(map(len, self.pixels)) == len(self.points):
            _settle(self.future, np.concatenate(self.pixels))


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one forward pass renders: parts of requests that share a slot."""

    slot: Slot
    parts: list[tuple[_Request, list[Point]]]

    @property
    def points(self) -> list[Point]:
        return [point for _, points in self.parts for point in points]


class Batcher:
    """Renders for many clients at once on one device.

    Args:
        max_batch: Most pictures in one forward pass.
        max_waiting: Most pictures that may wait; a request beyond is refused at once.
            A request that finds nothing waiting is always let in.
        deadline_s: How long a request may take, waiting included, seconds.
        telemetry: Where it counts.
    """

    def __init__(
        self,
        max_batch: int,
        max_waiting: int,
        deadline_s: float,
        *,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._deadline_s = deadline_s
        self._telemetry = telemetry or Telemetry()
        self._queue: list[_Request] = []
        self._waiting = 0  # pictures in the queue without a place in a batch
        self._images_per_s = 0.0
        self._speeds: dict[str, float] = {}  # pictures a second, by the slot's name
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Pictures that wait for a forward pass now."""
        return self._waiting

    async def render(self, slot: Slot, points: Sequence[Point]) -> Pixels:
        """Render one picture per seed or place, all by one slot. Cancel it to leave the queue.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            Busy: Too many pictures wait already, or the app is closing.
            DeadlineExceeded: It was not done in time.
        """
        request = self._enter(slot, points)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(request.future)
        except TimeoutError as err:
            self._telemetry.refused.labels("expired").inc()
            raise DeadlineExceeded(self._deadline_s) from err
        finally:
            self._leave(request)

    async def close(self) -> None:
        """Refuse what waits and end the thread after its batch."""
        with self._changed:
            self._is_closed = True
            waiting = self._queue.copy()
            self._changed.notify()
        for request in waiting:
            _fail(request.future, Busy("The service is closing.", retry_after_s=5))
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _enter(self, slot: Slot, points: Sequence[Point]) -> _Request:
        now = monotonic()
        request = _Request(slot, list(points), now + self._deadline_s, now)
        with self._changed:
            if self._is_closed:
                raise Busy("The service is closing.", retry_after_s=5)
            if self._waiting and self._waiting + len(points) > self._max_waiting:
                self._telemetry.refused.labels("busy").inc()
                raise self._busy()
            self._queue.append(request)
            self._count(len(points))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="cattery-device", daemon=True
                )
                self._thread.start()
            self._changed.notify()
        return request

    def _leave(self, request: _Request) -> None:
        """Take a request that has ended, in whatever way, out of the queue."""
        with self._changed:
            if request in self._queue:
                self._queue.remove(request)
                self._count(-request.left)

    def _busy(self) -> Busy:
        seconds = self._waiting / self._images_per_s if self._images_per_s else 1.0
        return Busy(
            f"{self._waiting} pictures wait already, of {self._max_waiting} that may.",
            retry_after_s=max(1, round(seconds)),
        )

    def _count(self, change: int) -> None:
        self._waiting += change
        self._telemetry.waiting_images.set(self._waiting)

    def _work(self) -> None:
        """Render batch after batch; the device's own thread."""
        while (batch := self._next()) is not None:
            try:
                began = monotonic()
                pixels = batch.slot.engine.render(batch.points)
                self._note_speed(batch, monotonic() - began)
            except Exception as err:  # the clients of this batch are told, the thread lives on
                log.exception("a batch of %s failed", batch.slot.name)
                for request, _ in batch.parts:
                    _fail(request.future, err)
                    self._leave(request)
            else:
                _hand_out(batch, pixels)

    def _next(self) -> _Batch | None:
        """Wait for work and return the next batch; None when closed."""
        with self._changed:
            while not self._is_closed:
                self._drop_expired()
                if self._queue:
                    return self._gather()
                self._changed.wait()
        return None

    def _drop_expired(self) -> None:
        """Drop what nobody waits for any more, before it costs a forward pass."""
        now = monotonic()
        for request in self._queue.copy():
            if request.future.done() or now >= request.expires_at:
                self._queue.remove(request)
                self._count(-request.left)

    def _gather(self) -> _Batch:
        """Deal the places of a batch out to the first in line and all who share its slot."""
        slot = self._queue[0].slot
        places = self._places(slot)
        mates = [r for r in self._queue if r.slot is slot][:places]
        shares = deal(places, [r.left for r in mates])
        now = monotonic()
        parts = []
        for request, share in zip(mates, shares, strict=True):
            if request.given == 0:
                self._telemetry.queue_s.observe(now - request.entered_at)
            parts.append((request, request.take(share)))
            # Behind all others: the next batch begins with another's slot.
            self._queue.remove(request)
            if request.left:
                self._queue.append(request)
        self._count(-sum(shares))
        return _Batch(slot, parts)

    def _places(self, slot: Slot) -> int:
        """Return how many pictures of a slot a batch may have."""
        speed = self._speeds.get(slot.name)
        places = FIRST_BATCH if speed is None else int(speed * LONGEST_BATCH_S)
        return max(1, min(places, self._max_batch))

    def _note_speed(self, batch: _Batch, seconds: float) -> None:
        count = len(batch.points)
        self._telemetry.forward_s.observe(seconds)
        self._telemetry.images.labels(batch.slot.model).inc(count)
        speed = count / max(seconds, 1e-6)
        if len(self._speeds) >= MOST_SPEEDS:
            self._speeds.clear()
        known = self._speeds.get(batch.slot.name, speed)
        self._speeds[batch.slot.name] = known + (speed - known) * 0.3
        self._images_per_s += (speed - self._images_per_s) * (0.1 if self._images_per_s else 1)


def deal(places: int, wanted: Sequence[int]) -> list[int]:
    """Deal places out evenly, earlier ones first, nobody more than they want.

    Args:
        places: How many there are; at least as many as takers.
        wanted: What each taker wants, at least 1.

    Returns:
        What each one gets; in sum `places`, or all that is wanted.
    """
    shares = [0] * len(wanted)
    while places and (hungry := [i for i, w in enumerate(wanted) if shares[i] < w]):
        each = max(1, places // len(hungry))
        for i in hungry[:places]:
            more = min(each, wanted[i] - shares[i])
            shares[i] += more
            places -= more
    return shares


def _hand_out(batch: _Batch, pixels: Pixels) -> None:
    begin = 0
    for request, points in batch.parts:
        request.add(pixels[begin : begin + len(points)])
        begin += len(points)


def _settle(future: "Future[Pixels]", pixels: Pixels) -> None:
    with suppress(InvalidStateError):  # its client has left
        future.set_result(pixels)


def _fail(future: "Future[Pixels]", err: Exception) -> None:
    with suppress(InvalidStateError):  # its client has left
        future.set_exception(err)
