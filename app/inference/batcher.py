"""Continuous batching: waiting requests are gathered into batches for a few render threads.

Each thread is a lane: as soon as it is free, it takes the next batch, renders it, encodes the
pictures and returns them. There is no timer and no polling.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from math import ceil, inf
from time import monotonic
from typing import Any

from app.inference.queue import Batch, Encode, FairQueue, Pixels, RenderRequest
from app.inference.slot import Slot
from app.inference.throughput import Throughput
from app.observability.metrics import Telemetry
from app.problems.errors import Busy, DeadlineExceeded
from models.inference.latents import Point

log = logging.getLogger(__name__)

MAX_BATCH_S = 0.25  # a slow generator must not hold up the cats of a fast one for longer
FIRST_BATCH = 16  # while a generator's speed is unknown


class Batcher:
    """Renders for many clients at once. Used from one event loop.

    Args:
        max_batch: Maximum number of pictures in one forward pass.
        max_waiting: Maximum number of waiting pictures. A request that exceeds it is refused,
            unless nothing is waiting.
        deadline_s: Timeout of a request, waiting included, seconds.
        lanes: Number of batches rendered at a time.
        least_share: Minimum number of pictures for which another idle lane is used.
        prepare: Called in each lane's thread before its first batch.
        telemetry: Counts batches and refusals.
    """

    # On a CPU there is one lane per core, each computing on a single thread: a forward pass that
    # is split among threads waits for the slowest, and may round differently on a machine with
    # more of them. On a GPU the lanes take turns, so that one renders while the others encode.

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
        self._queue = FairQueue()
        self._telemetry.waiting_images.set_function(lambda: self._queue.waiting)
        self._throughput = Throughput()
        self._busy = 0
        self._is_waking = False
        self._is_closed = False
        # Guards the queue and `_busy`; the lanes wait for it.
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """Number of pictures waiting for a forward pass."""
        return self._queue.waiting

    async def render(self, slot: Slot, points: Sequence[Point]) -> Pixels:
        """Render one picture per point; cancel it to leave the queue.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            Busy: Too many pictures are waiting, or the app is shutting down.
            DeadlineExceeded: It was not rendered in time.
        """
        async with self.deadline():
            pixels: Pixels = await self._submit(slot, points, None, self._deadline_s)
        return pixels

    async def files(
        self, slot: Slot, points: Sequence[Point], encode: Encode, *, is_shared: bool = False
    ) -> list[bytes]:
        """Render one picture per point, and return each as a file.

        Args:
            slot: Renders them.
            points: What to render.
            encode: Encodes each picture.
            is_shared: Whether several clients may wait for it. It then has no deadline of its
                own: each client has one (`deadline`), and the last to leave cancels it.

        Raises:
            Busy, DeadlineExceeded: As `render`.
        """
        if is_shared:
            return await self._submit(slot, points, encode, inf)  # type: ignore[no-any-return]
        async with self.deadline():
            return await self._submit(slot, points, encode, self._deadline_s)  # type: ignore[no-any-return]

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Limit a client's wait.

        Raises:
            DeadlineExceeded: It was over before the block ended.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError as err:
            self._telemetry.refused.labels("expired").inc()
            raise DeadlineExceeded(self._deadline_s) from err

    def check_room(self, count: int) -> None:
        """Refuse a request for a number of pictures that the queue has no room for.

        Raises:
            Busy: Too many pictures are waiting, or the app is shutting down.
        """
        if self._is_closed:
            raise _closing()
        waiting = self._queue.waiting
        if waiting and waiting + count > self._max_waiting:
            self._telemetry.refused.labels("busy").inc()
            raise self._refusal()

    async def close(self) -> None:
        """Refuse waiting requests, and stop the lanes after their current batches."""
        with self._changed:
            self._is_closed = True
            waiting = self._queue.requests()
            self._changed.notify_all()
        for request in waiting:
            if not request.future.done():
                request.future.set_exception(_closing())
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _submit(
        self, slot: Slot, points: Sequence[Point], encode: Encode | None, within_s: float
    ) -> Any:
        loop, now = asyncio.get_running_loop(), monotonic()
        request = RenderRequest(slot, points, encode, now, now + within_s, loop.create_future())
        self._enter(request, loop)
        try:
            return await request.future
        finally:
            self._leave(request)

    def _enter(self, request: RenderRequest, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            self.check_room(request.left)
            self._queue.enter(request)
        if not self._is_waking:
            # After this iteration of the loop, so that requests which arrive in it share a batch.
            self._is_waking = True
            loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        if not self._threads:  # here, not in __init__: they need the running loop
            loop = asyncio.get_running_loop()
            for number in range(self._lanes):
                name = f"cattery-lane-{number}"
                thread = threading.Thread(target=self._work, args=[loop], name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        with self._changed:
            self._changed.notify(self._queue.waiting)

    def _leave(self, request: RenderRequest) -> None:
        """Remove a request that has ended, in whatever way, from the queue."""
        if request.left:
            with self._changed:
                self._queue.leave(request)

    def _refusal(self) -> Busy:
        waiting, speed = self._queue.waiting, self._throughput.overall * self._lanes
        return Busy(
            f"{waiting} pictures are already waiting; the limit is {self._max_waiting}.",
            retry_after_s=max(1, round(waiting / speed if speed else 1.0)),
        )

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Process batches until closed; a lane's thread."""
        self._prepare()
        while (batch := self._next()) is not None:
            outcomes = self._process(batch)
            with suppress(RuntimeError):  # the loop has closed, its clients are gone
                loop.call_soon_threadsafe(_settle, outcomes)
            del batch, outcomes  # an idle lane must not keep an evicted generator in memory

    def _process(self, batch: Batch) -> "list[_Outcome]":
        """Render a batch; return the requests that are complete or have failed."""
        try:
            return self._complete(batch, self._render(batch))
        except Exception as err:  # for this batch's clients; the lane goes on
            log.exception("a batch of %s failed", batch.slot.name)
            return self._fail(batch, err)
        finally:
            with self._changed:
                self._busy -= 1

    def _next(self) -> Batch | None:
        """Wait for work and return the next batch; None when closed."""
        with self._changed:
            while not self._is_closed:
                self._queue.drop_unawaited(monotonic())
                slot = self._queue.next_slot()
                if slot is not None:
                    batch = self._queue.gather(slot, self._places(slot))
                    self._busy += 1
                    self._observe_queue(batch)
                    return batch
                self._changed.wait()
        return None

    def _places(self, slot: Slot) -> int:
        """Return the maximum size of a slot's next batch."""
        # Divided among idle lanes, so that a large request does not occupy one and leave the rest.
        share = ceil(self._queue.left_of(slot) / max(1, self._lanes - self._busy))
        speed = self._throughput.of(slot)
        places = FIRST_BATCH if speed is None else int(speed * MAX_BATCH_S)
        return max(1, min(places, max(share, self._least_share), self._max_batch))

    def _observe_queue(self, batch: Batch) -> None:
        now = monotonic()
        for part in batch.parts:
            if part.begin == 0:
                self._telemetry.queue_s.observe(now - part.request.entered_at)

    def _render(self, batch: Batch) -> list[Any]:
        """Return the result of each part: pixels or files."""
        began, points = monotonic(), batch.points
        pixels = batch.slot.engine.render(points)
        self._telemetry.forward_s.observe(monotonic() - began)
        self._telemetry.images.labels(batch.slot.model).inc(len(points))
        made = list(_results(batch, pixels))
        # Encoding included: it occupies the lane just as rendering does.
        self._throughput.note(batch.slot, len(points) / max(monotonic() - began, 1e-6))
        return made

    def _complete(self, batch: Batch, made: Sequence[Any]) -> "list[_Outcome]":
        with self._changed:
            ended = [
                part.request
                for part, result in zip(batch.parts, made, strict=True)
                if part.request.add(part.begin, result, len(part.points))
            ]
        return [(request, request.result(), None) for request in ended]

    def _fail(self, batch: Batch, err: Exception) -> "list[_Outcome]":
        with self._changed:
            for part in batch.parts:
                self._queue.leave(part.request)
        return [(part.request, None, err) for part in batch.parts]


_Outcome = tuple[RenderRequest, Any, Exception | None]


def _results(batch: Batch, pixels: Pixels) -> Iterator[Any]:
    """Yield the pixels or files of each part."""
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
    """Resolve the futures of a batch, in their event loop."""
    # All at once: waking the loop for each request would cost more than its share of the batch.
    for request, result, err in outcomes:
        if request.future.done():  # its client has disconnected
            continue
        if err is None:
            request.future.set_result(result)
        else:
            request.future.set_exception(err)


def _closing() -> Busy:
    return Busy("The service is shutting down.", retry_after_s=5)
