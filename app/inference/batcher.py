"""Many requests, few lanes: what waits is gathered into batches, counted in pictures.

A lane is a thread that takes the next batch the moment it is free, renders it, makes files of
the pictures and hands them out; it sleeps only when nothing waits: no timer, no polling. On a
CPU there is a lane a core, each on one thread: what shares a forward pass between threads may
round differently on a machine with more of them, and waits for the slowest. On a GPU the lanes
take turns at it, so that one renders while the others encode.

A batch has one slot, so no answer mixes versions; it is only as large as a lane makes in a
quarter of a second, so that a slow generator's crowd does not hold up the cats of a fast one.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import ceil
from time import monotonic
from typing import Any

from app.inference.queue import Batch, Encode, Lines, Pixels, Request
from app.inference.slot import Slot
from app.inference.throughput import Speeds
from app.observability.metrics import Telemetry
from app.problems.errors import Busy, DeadlineExceeded
from models.inference.latents import Point

log = logging.getLogger(__name__)

LONGEST_BATCH_S = 0.25
FIRST_BATCH = 16
"""Places of a generator's first batch, when nobody knows yet how fast it is."""


class Batcher:
    """Renders for many clients at once. Used from one event loop.

    Args:
        max_batch: Most pictures in one forward pass.
        max_waiting: Most pictures that may wait; a request beyond is refused at once.
            A request that finds nothing waiting is always let in.
        deadline_s: How long a request may take, waiting included, seconds.
        lanes: How many batches are under way at a time.
        least_share: Pictures for which it is not worth while to use another idle lane.
        prepare: Called in each lane's thread before its first batch.
        telemetry: Where it counts.
    """

    def __init__(
        self,
        max_batch: int,
        max_waiting: int,
        deadline_s: float,
        *,
        lanes: int = 1,
        least_share: int = 1,
        prepare: Callable[[], object] = lambda: None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._deadline_s = deadline_s
        self._lanes = lanes
        self._least_share = least_share
        self._prepare = prepare
        self._telemetry = telemetry or Telemetry()
        self._lines = Lines()
        self._telemetry.waiting_images.set_function(lambda: self._lines.waiting)
        self._speeds = Speeds()
        self._busy = 0
        self._is_waking = False
        self._is_closed = False
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """Pictures that wait for a forward pass now."""
        return self._lines.waiting

    async def render(self, slot: Slot, points: Sequence[Point]) -> Pixels:
        """Render one picture per seed or place, all by one slot. Cancel it to leave the line.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            Busy: Too many pictures wait already, or the app is closing.
            DeadlineExceeded: It was not done in time.
        """
        pixels: Pixels = await self._made(slot, points, None)
        return pixels

    async def files(self, slot: Slot, points: Sequence[Point], encode: Encode) -> list[bytes]:
        """Render likewise, and return what a lane's thread makes of each picture.

        Raises:
            Busy, DeadlineExceeded: As `render`.
        """
        files: list[bytes] = await self._made(slot, points, encode)
        return files

    def check_room(self, count: int) -> None:
        """Refuse what could not enter now.

        Args:
            count: Pictures that would wait.

        Raises:
            Busy: Too many wait already, or the app is closing.
        """
        if self._is_closed:
            raise _closing()
        waiting = self._lines.waiting
        if waiting and waiting + count > self._max_waiting:
            self._telemetry.refused.labels("busy").inc()
            raise self._refusal()

    async def close(self) -> None:
        """Refuse what waits and end the lanes after their batches."""
        with self._changed:
            self._is_closed = True
            waiting = self._lines.requests()
            self._changed.notify_all()
        for request in waiting:
            if not request.future.done():
                request.future.set_exception(_closing())
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _made(self, slot: Slot, points: Sequence[Point], encode: Encode | None) -> Any:
        loop, now = asyncio.get_running_loop(), monotonic()
        expires_at = now + self._deadline_s
        request = Request(slot, points, encode, now, expires_at, loop.create_future())
        self._enter(request, loop)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await request.future
        except TimeoutError as err:
            self._telemetry.refused.labels("expired").inc()
            raise DeadlineExceeded(self._deadline_s) from err
        finally:
            self._leave(request)

    def _enter(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            self.check_room(request.left)
            self._lines.enter(request)
        if not self._is_waking:
            # At the end of this round of the loop: whoever else came in it shares the batch.
            self._is_waking = True
            loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        if not self._threads:
            loop = asyncio.get_running_loop()
            for number in range(self._lanes):
                name = f"cattery-lane-{number}"
                thread = threading.Thread(target=self._work, args=[loop], name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        with self._changed:
            self._changed.notify(self._lines.waiting)

    def _leave(self, request: Request) -> None:
        """Take a request that has ended, in whatever way, out of its line."""
        if request.left:
            with self._changed:
                self._lines.leave(request)

    def _refusal(self) -> Busy:
        waiting, speed = self._lines.waiting, self._speeds.any * self._lanes
        return Busy(
            f"{waiting} pictures wait already, of {self._max_waiting} that may.",
            retry_after_s=max(1, round(waiting / speed if speed else 1.0)),
        )

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make batch after batch; a lane's thread."""
        self._prepare()
        while (batch := self._next()) is not None:
            outcomes = self._made_of(batch)
            with suppress(RuntimeError):  # the loop has ended, and with it all who waited
                loop.call_soon_threadsafe(_settle, outcomes)
            del batch, outcomes  # a lane that sleeps must not keep a generator in memory

    def _made_of(self, batch: Batch) -> "list[_Outcome]":
        """Render a batch; return the requests that have ended with it."""
        try:
            return self._note_made(batch, self._rendered(batch))
        except Exception as err:  # the clients of this batch are told, the lane lives on
            log.exception("a batch of %s failed", batch.slot.name)
            return self._note_failed(batch, err)
        finally:
            with self._changed:
                self._busy -= 1

    def _next(self) -> Batch | None:
        """Wait for work and return the next batch; None when closed."""
        with self._changed:
            while not self._is_closed:
                self._lines.drop_unawaited(monotonic())
                slot = self._lines.next_slot()
                if slot is not None:
                    batch = self._lines.gather(slot, self._places(slot))
                    self._busy += 1
                    self._observe_queue(batch)
                    return batch
                self._changed.wait()
        return None

    def _places(self, slot: Slot) -> int:
        """Return how many pictures of a slot the next batch may have: what idle lanes share."""
        share = ceil(self._lines.left_of(slot) / max(1, self._lanes - self._busy))
        speed = self._speeds.of(slot)
        places = FIRST_BATCH if speed is None else int(speed * LONGEST_BATCH_S)
        return max(1, min(places, max(share, self._least_share), self._max_batch))

    def _observe_queue(self, batch: Batch) -> None:
        now = monotonic()
        for part in batch.parts:
            if part.begin == 0:
                self._telemetry.queue_s.observe(now - part.request.entered_at)

    def _rendered(self, batch: Batch) -> list[Any]:
        """Return what is made of each part: pixels, or files."""
        began, points = monotonic(), batch.points
        pixels = batch.slot.engine.render(points)
        self._telemetry.forward_s.observe(monotonic() - began)
        self._telemetry.images.labels(batch.slot.model).inc(len(points))
        made = list(_shared_out(batch, pixels))
        self._speeds.note(batch.slot, len(points) / max(monotonic() - began, 1e-6))
        return made

    def _note_made(self, batch: Batch, made: Sequence[Any]) -> "list[_Outcome]":
        with self._changed:
            ended = [
                part.request
                for part, result in zip(batch.parts, made, strict=True)
                if part.request.add(part.begin, result, len(part.points))
            ]
        return [(request, request.result(), None) for request in ended]

    def _note_failed(self, batch: Batch, err: Exception) -> "list[_Outcome]":
        with self._changed:
            for part in batch.parts:
                self._lines.leave(part.request)
        return [(part.request, None, err) for part in batch.parts]


_Outcome = tuple[Request, Any, Exception | None]


def _shared_out(batch: Batch, pixels: Pixels) -> Iterator[Any]:
    """Yield each part's pixels, or the files that are made of them."""
    begin = 0
    for part in batch.parts:
        own = pixels[begin : begin + len(part.points)]
        begin += len(part.points)
        encode = part.request.encode
        if encode is None:
            yield own
        else:
            yield [encode(part.begin + i, each) for i, each in enumerate(own)]


def _settle(outcomes: Sequence[_Outcome]) -> None:
    """Tell the clients of a batch, all at once; in their loop."""
    for request, result, err in outcomes:
        if request.future.done():  # its client has left
            continue
        if err is None:
            request.future.set_result(result)
        else:
            request.future.set_exception(err)


def _closing() -> Busy:
    return Busy("The service is closing.", retry_after_s=5)
