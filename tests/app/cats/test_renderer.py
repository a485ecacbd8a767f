"""Tests of app.cats.renderer."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from app.cats import renderer as rendering
from app.cats.renderer import MAX_WALKS, Renderer
from app.inference.batcher import Batcher
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from app.problems.errors import Busy
from models.images.animations import AnimationFormat
from models.images.formats import PictureFormat, encode_png
from models.inference.latents import walk
from tests.app.client import pixels_of
from tests.app.fake_engine import PaintingEngine, card_for, until


class Encoders:
    """Stands in for the table of encodings: holds PNG up."""

    def __init__(self):
        self.may_go = threading.Event()

    def __getitem__(self, encoding):
        """Return the row of a format."""
        return SimpleNamespace(encode=self.encode)

    def encode(self, pixels, text):
        """Encode when allowed to."""
        assert self.may_go.wait(30)
        return encode_png(pixels, text)


@pytest.fixture
def encoders(monkeypatch):
    """Return what encodes in place of the table."""
    encoders = Encoders()
    monkeypatch.setattr(rendering, "ENCODINGS", encoders)
    return encoders


@pytest.fixture
def slot():
    """Return a slot."""
    return Slot("dcgan", "0" * 12, PaintingEngine(1), card_for("dcgan"))


def run(coroutine):
    """Run a test's coroutine with a limit."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_too_many_pictures_to_encode_are_refused_before_the_forward_pass(slot, encoders):
    """What could not be encoded in time is not rendered either."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, max_waiting=3)
        first = asyncio.create_task(renderer.sheet(slot, range(4), None))
        await until(lambda: renderer._encoding == 4)
        with pytest.raises(Busy):
            await renderer.cats(slot, range(2))
        encoders.may_go.set()
        assert pixels_of(await first).shape == (16, 16, 3)
        assert len(slot.engine.batches) == 1
        renderer.close()
        await batcher.close()

    run(test())


def test_a_walk_leaves_a_thread_to_the_cats_and_the_loop_to_everybody(slot, monkeypatch):
    """While one walk is encoded and another one waits, a cat is encoded and sent."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, encode_threads=2)
        may_go, begun = threading.Event(), []

        def encode(pixels, text):
            begun.append(text["n"])
            assert may_go.wait(30)
            return bytes(len(pixels))

        monkeypatch.setattr(rendering, "ANIMATIONS", {"gif": SimpleNamespace(encode=encode)})
        walks = [
            asyncio.create_task(
                renderer.walk(slot, walk(1, 9, 24), AnimationFormat.GIF, {"n": str(n)})
            )
            for n in (1, 2)
        ]
        await until(lambda: renderer._encoding == 48 and begun)
        assert len(await renderer.cats(slot, [7])) == 1
        assert (begun, renderer._encoding) == (["1"], 48)
        may_go.set()
        assert [len(file) for file in await asyncio.gather(*walks)] == [24, 24]
        assert renderer._encoding == 0
        renderer.close()
        await batcher.close()

    run(test())


def test_walks_whose_clients_leave_hold_up_no_cat_and_count_until_they_end(slot, monkeypatch):
    """Whoever asks for walks and hangs up gains nothing by it: a few are made, others refused."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, encode_threads=1)
        may_go, begun = threading.Event(), []

        def encode(pixels, text):
            begun.append(text["n"])
            assert may_go.wait(30)
            return b"walk"

        monkeypatch.setattr(rendering, "ANIMATIONS", {"gif": SimpleNamespace(encode=encode)})

        def ask(n):
            return asyncio.create_task(
                renderer.walk(slot, walk(1, 9, 24), AnimationFormat.GIF, {"n": str(n)})
            )

        left = [ask(n) for n in range(MAX_WALKS)]
        await until(lambda: renderer._encoding == 24 * MAX_WALKS and begun)
        with pytest.raises(Busy, match="walks"):
            await ask(99)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # The one that is being encoded cannot be called off; the others were.
        await until(lambda: renderer._encoding == 24)
        assert len(await renderer.cats(slot, [7])) == 1
        may_go.set()
        assert await ask(5) == b"walk"
        assert (begun, renderer._encoding) == (["0", "5"], 0)
        renderer.close()
        await batcher.close()

    run(test())


def test_the_frames_of_a_walk_count_as_pictures_that_wait(slot, monkeypatch):
    """A walk fills the house like so many cats, and is refused where it is full."""

    async def test():
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, max_waiting=20)
        may_go = threading.Event()

        def encode(pixels, text):
            assert may_go.wait(30)
            return b"walk"

        monkeypatch.setattr(rendering, "ANIMATIONS", {"gif": SimpleNamespace(encode=encode)})
        first = asyncio.create_task(renderer.walk(slot, walk(1, 9, 24), AnimationFormat.GIF, {}))
        await until(lambda: renderer._encoding == 24)
        with pytest.raises(Busy):
            await renderer.walk(slot, walk(1, 9, 2), AnimationFormat.GIF, {})
        may_go.set()
        assert await first == b"walk"
        renderer.close()
        await batcher.close()

    run(test())


def test_what_was_encoded_is_told_beside_how_long_it_took(slot):
    """A cat, a sheet and a walk are one observation each, under their kind and format."""

    async def test():
        telemetry = Telemetry()
        batcher = Batcher(64, 1000, 30)
        renderer = Renderer(batcher, telemetry=telemetry)
        await renderer.cats(slot, range(5), encoding=PictureFormat.WEBP)
        await renderer.sheet(slot, range(5), None)
        await renderer.walk(slot, walk(1, 9, 3), AnimationFormat.GIF, {})
        for kind, format_, count in (("cat", "webp", 5), ("sheet", "png", 1), ("walk", "gif", 1)):
            labels = {"kind": kind, "format": format_}
            told = telemetry.registry.get_sample_value("cattery_encode_seconds_count", labels)
            assert told == count
        assert telemetry.registry.get_sample_value("cattery_encoding_images") == 0
        renderer.close()
        await batcher.close()

    run(test())
