"""Tests of app.inference.batcher."""

import asyncio
import threading
from time import monotonic, sleep

import pytest

from app.inference.batcher import Batcher
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from app.problems.errors import Busy, DeadlineExceeded
from models.inference.latents import Interpolated
from tests.app.fake_engine import PaintingEngine, card_for, until

DEADLINE_S = 30.0


def slot_of(red: int = 1):
    return Slot("dcgan", f"{red:012x}", PaintingEngine(red), card_for("dcgan"))


class Held:
    """A batcher whose device is held up in a first batch of one picture."""

    def __init__(self, max_batch=16, max_waiting=1000, deadline_s=DEADLINE_S):
        self.telemetry = Telemetry()
        self.batcher = Batcher(max_batch, max_waiting, deadline_s, telemetry=self.telemetry)
        self.slot = slot_of()

    @property
    def engine(self) -> PaintingEngine:
        """The engine that is held up."""
        return self.slot.engine

    async def __aenter__(self):
        self.engine.may_go.clear()
        self.first = asyncio.create_task(self.batcher.render(self.slot, [999]))
        await until(self.engine.is_busy.is_set)
        return self

    def ask(self, points, slot=None):
        """Ask for pictures without waiting for them."""
        return asyncio.create_task(self.batcher.render(slot or self.slot, list(points)))

    async def waiting(self, images):
        """Wait until so many pictures wait."""
        await until(lambda: self.batcher.waiting == images)

    def dropped(self):
        """Wait, off the loop, until nothing waits."""
        end = monotonic() + 20
        while self.batcher.waiting and monotonic() < end:
            pass
        return not self.batcher.waiting

    async def __aexit__(self, *_):
        self.engine.may_go.set()
        await asyncio.gather(self.first, return_exceptions=True)
        await self.batcher.close()


async def test_every_request_gets_its_own_pictures_in_order():
    async with Held(max_batch=7) as held:
        asked = [range(20), range(100, 101), range(200, 213)]
        tasks = [held.ask(seeds) for seeds in asked]
        await held.waiting(34)
        held.engine.may_go.set()
        for seeds, pixels in zip(asked, await asyncio.gather(*tasks), strict=True):
            assert [seed % 256 for seed in seeds] == pixels[:, 0, 0, 1].tolist()


async def test_seeds_and_places_share_a_batch():
    """What is between two seeds waits in the same line as the seeds, and goes back in order."""
    async with Held() as held:
        place = Interpolated(start=10, end=20, share=0.5)
        tasks = [held.ask([1, place]), held.ask([2])]
        await held.waiting(3)
        held.engine.may_go.set()
        first, second = await asyncio.gather(*tasks)
        assert held.engine.batches == [[999], [1, place, 2]]
        assert first[:, 0, 0, 1].tolist() == [1, 15]
        assert second[:, 0, 0, 1].tolist() == [2]


async def test_what_waits_is_gathered_and_counted_in_pictures():
    """Requests that came while the device was busy share batches of at most max_batch."""
    async with Held(max_batch=16) as held:
        tasks = [held.ask([i]) for i in range(20)]
        await held.waiting(20)
        held.engine.may_go.set()
        await asyncio.gather(*tasks)
        assert [len(batch) for batch in held.engine.batches] == [1, 16, 4]


async def test_a_lone_request_does_not_wait_for_company(new_batcher):
    """The device starts the moment it is free: one request, one batch, no timer."""
    batcher, slot = new_batcher(16, 100, DEADLINE_S), slot_of()
    pixels = await batcher.render(slot, [3])
    assert pixels.shape == (1, 8, 8, 3)
    assert slot.engine.batches == [[3]]


async def test_a_batch_has_one_slot_and_slots_take_turns():
    """A picture of another version comes second, before the rest of a large request."""
    async with Held(max_batch=8) as held:
        other = slot_of(2)
        other.engine.batches = held.engine.batches
        tasks = [held.ask(range(100, 164)), held.ask([5], other)]
        await held.waiting(65)
        held.engine.may_go.set()
        reds = [{*pixels[:, 0, 0, 0].tolist()} for pixels in await asyncio.gather(*tasks)]
        assert reds == [{1}, {2}]
        assert [[999], [*range(100, 108)], [5]] == held.engine.batches[:3]
        assert len(held.engine.batches) == 10


async def test_a_request_over_the_limit_is_let_in_where_nothing_waits(new_batcher):
    batcher = new_batcher(16, 4, DEADLINE_S)
    assert len(await batcher.render(slot_of(), range(64))) == 64


async def test_what_expires_leaves_before_the_forward_pass():
    async with Held(deadline_s=0.05) as held:
        with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
            await held.batcher.render(held.slot, [1, 2])
        assert held.batcher.waiting == 0
        held.engine.may_go.set()
    assert held.engine.batches == [[999]]


async def test_what_has_expired_is_dropped_even_if_the_loop_is_late():
    """The device looks at the clock itself: a busy event loop costs no forward pass."""
    async with Held(deadline_s=0.2) as held:
        late = held.ask([1])
        await held.waiting(1)
        end = monotonic() + 0.3
        held.first.cancel()
        while monotonic() < end:
            pass  # the loop is held up past the deadline
        held.engine.may_go.set()
        assert await asyncio.to_thread(held.dropped)
        with pytest.raises(DeadlineExceeded):
            await late
    assert held.engine.batches == [[999]]


async def test_a_failing_engine_fails_its_batch_only(new_batcher):
    batcher, bad, good = new_batcher(8, 100, DEADLINE_S), slot_of(1), slot_of(2)

    def fail(points):
        raise RuntimeError("out of memory")

    bad.engine.render = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        await batcher.render(bad, range(20))
    assert len(await batcher.render(good, [1])) == 1
    assert batcher.waiting == 0


async def test_a_slow_generator_s_crowd_does_not_hold_up_a_fast_one(new_batcher):
    """A batch is as large as the device renders in a quarter of a second, never all that wait."""
    slow, fast = slot_of(1), slot_of(2)
    paint = slow.engine.render

    def crawl(points):
        sleep(0.05 * len(points))
        return paint(points)

    batcher = new_batcher(64, 1000, DEADLINE_S)
    slow.engine.render = crawl
    await batcher.render(slow, range(2))
    crowd = asyncio.create_task(batcher.render(slow, range(40)))
    await until(lambda: len(slow.engine.batches) > 1)
    await batcher.render(fast, [1])
    assert not crowd.done()
    sizes = [len(batch) for batch in slow.engine.batches[1:]]
    assert len(sizes) <= 3  # the one that was running, and perhaps the next
    assert max(sizes) <= 5
    assert len(await crowd) == 40


async def test_closing_refuses_what_waits_and_ends_the_thread():
    held = Held()
    async with held:
        waits = held.ask([1])
        await held.waiting(1)
        closing = asyncio.create_task(held.batcher.close())
        with pytest.raises(Busy):
            await waits
        held.engine.may_go.set()
        await closing
        assert not any(thread.is_alive() for thread in held.batcher._threads)
        with pytest.raises(Busy):
            await held.batcher.render(held.slot, [1])


async def test_lanes_render_at_the_same_time_and_share_what_waits(new_batcher):
    """A lone request is dealt out to all idle lanes, and comes back in order."""
    batcher, slot = new_batcher(16, 1000, DEADLINE_S, lanes=2), slot_of()
    together = threading.Barrier(2, timeout=20)
    paint = slot.engine.render

    def meet(points):
        together.wait()
        if points[0] == 0:
            sleep(0.01)  # the later half is done first
        return paint(points)

    slot.engine.render = meet
    pixels = await batcher.render(slot, range(10))
    assert pixels[:, 0, 0, 1].tolist() == [*range(10)]
    assert sorted(slot.engine.batches) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


async def test_a_device_that_lanes_take_turns_at_is_given_whole_batches(new_batcher):
    """What is too little to be worth sharing goes to one lane; more is shared all the same."""
    batcher, slot = new_batcher(16, 1000, DEADLINE_S, lanes=4, least_share=16), slot_of()
    await batcher.render(slot, range(16))
    assert slot.engine.batches == [[*range(16)]]
    await batcher.render(slot, range(40))
    assert sorted(map(len, slot.engine.batches)) == [8, 16, 16, 16]


async def test_a_lane_is_prepared_in_its_own_thread_before_its_first_batch(new_batcher):
    """Each once: there a thread is told to compute alone."""
    prepared = []

    def prepare():
        prepared.append(threading.current_thread().name)

    batcher = new_batcher(4, 1000, DEADLINE_S, lanes=3, prepare=prepare)
    await batcher.render(slot_of(), range(40))
    assert sorted(prepared) == ["cattery-lane-0", "cattery-lane-1", "cattery-lane-2"]


async def test_files_are_made_in_the_lane_each_by_its_number(new_batcher):
    """Encoding takes no further thread; a request that spans batches keeps its order."""
    batcher, slot = new_batcher(4, 1000, DEADLINE_S), slot_of()
    threads = set()

    def encode(number, pixels):
        threads.add(threading.current_thread().name)
        return bytes([number, *pixels[0, 0]])

    files = await batcher.files(slot, range(100, 110), encode)
    assert files == [bytes([i, 1, 100 + i, 0]) for i in range(10)]
    assert threads == {"cattery-lane-0"}


async def test_what_cannot_be_encoded_fails_and_the_lane_lives_on(new_batcher):
    batcher, slot = new_batcher(4, 1000, DEADLINE_S), slot_of()

    def fail(number, pixels):
        raise ValueError("no such color")

    with pytest.raises(ValueError, match="no such color"):
        await batcher.files(slot, range(10), fail)
    assert batcher.waiting == 0
    assert len(await batcher.render(slot, [1])) == 1
