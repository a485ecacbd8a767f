"""Tests of app.rendering."""

import asyncio
import threading

import pytest

from app import rendering
from app.batching import Batcher
from app.errors import Busy
from app.rendering import Renderer
from app.slots import Slot
from models.images import encode_png
from models.sampling import walk
from tests.app.painting import PaintingEngine, card_for, until


class Encoders:
    """Stands in for `encode_png`: holds it up, and notes the order of the cats."""

    def __init__(self):
        self.may_go = threading.Event()
        self.order = []

    def __call__(self, pixels, text):
        """Encode when allowed to."""
        assert self.may_go.wait(30)
        self.order.append(text.get("Cattery-Seed"))
        return encode_png(pixels, text)


@pytest.fixture
def encoders(monkeypatch):
    """Return what encodes in place of `encode_png`."""
    encoders = Encoders()
    monkeypatch.setattr(rendering, "encode_png", encoders)
    return encoders


@pytest.fixture
def slot():
    """Return a slot."""
    return Slot("dcgan", "0" * 12, PaintingEngine(1), card_for("dcgan"))


def run(coroutine):
    """Run a test's coroutine with a limit."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_one_cat_passes_between_the_sixty_four_of_another(slot, encoders):
    """Encoding takes turns as well: a request never has more pictures in it than threads."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, encode_threads=2)
        many = asyncio.create_task(renderer.cats(slot, range(100, 164)))
        await until(lambda: renderer.encoding == 64)
        one = asyncio.create_task(renderer.cats(slot, [7]))
        await until(lambda: renderer.encoding == 65)
        encoders.may_go.set()
        await asyncio.gather(one, many)
        assert "7" in encoders.order[:8]
        renderer.close()
        await batcher.close()

    run(test())


def test_too_many_pictures_to_encode_are_refused_before_the_forward_pass(slot, encoders):
    """What could not be encoded in time is not rendered either."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, max_waiting=3)
        first = asyncio.create_task(renderer.cats(slot, range(4)))
        await until(lambda: renderer.encoding == 4)
        with pytest.raises(Busy):
            await renderer.sheet(slot, range(2), None)
        encoders.may_go.set()
        assert len(await first) == 4
        assert len(slot.engine.batches) == 1
        renderer.close()
        await batcher.close()

    run(test())


def test_a_walk_leaves_a_thread_to_the_cats_and_the_loop_to_everybody(slot):
    """While one walk is encoded and another one waits, a cat is encoded and sent."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, encode_threads=2)
        may_go, begun = threading.Event(), []

        def encode(pixels, text):
            begun.append(text["n"])
            assert may_go.wait(30)
            return bytes(len(pixels))

        walks = [
            asyncio.create_task(renderer.walk(slot, walk(1, 9, 24), encode, {"n": n}))
            for n in (1, 2)
        ]
        await until(lambda: renderer.encoding == 48 and begun)
        assert len(await renderer.cats(slot, [7])) == 1
        assert (begun, renderer.encoding) == ([1], 48)
        may_go.set()
        assert [len(file) for file in await asyncio.gather(*walks)] == [24, 24]
        assert renderer.encoding == 0
        renderer.close()
        await batcher.close()

    run(test())


def test_the_frames_of_a_walk_count_as_pictures_that_wait(slot):
    """A walk fills the house like so many cats, and is refused where it is full."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, max_waiting=20)
        may_go = threading.Event()

        def encode(pixels, text):
            assert may_go.wait(30)
            return b"walk"

        first = asyncio.create_task(renderer.walk(slot, walk(1, 9, 24), encode, {}))
        await until(lambda: renderer.encoding == 24)
        with pytest.raises(Busy):
            await renderer.walk(slot, walk(1, 9, 2), encode, {})
        may_go.set()
        assert await first == b"walk"
        renderer.close()
        await batcher.close()

    run(test())
