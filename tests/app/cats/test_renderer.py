"""Tests of app.cats.renderer."""

import asyncio
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from app.cats import renderer as rendering
from app.cats.renderer import MAX_WALKS, Renderer
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from app.problems.errors import Busy
from models.images.animations import AnimationFormat
from models.images.formats import PictureFormat, encode_png
from models.inference.latents import walk
from tests.app.client import pixels_of
from tests.app.fake_engine import PaintingEngine, card_for, until


class Encoder:
    """Stands in for the tables of encodings: is held up, and notes what it has begun."""

    def __init__(self):
        self.may_go = threading.Event()
        self.begun = []

    def picture(self, pixels, text):
        """Encode a sheet when allowed to."""
        assert self.may_go.wait(30)
        return encode_png(pixels, text)

    def walk(self, pixels, text):
        """Make a file of one byte a frame when allowed to."""
        self.begun.append(text.get("n"))
        assert self.may_go.wait(30)
        return bytes(len(pixels))


@pytest.fixture
def encoder(monkeypatch):
    encoder = Encoder()
    monkeypatch.setattr(rendering, "ANIMATIONS", {"gif": SimpleNamespace(encode=encoder.walk)})
    return encoder


@pytest.fixture
def new_renderer(new_batcher):
    with ExitStack() as renderers:

        def make(**options):
            renderer = Renderer(new_batcher(64, 1000, 30), **options)
            renderers.callback(renderer.close)
            return renderer

        yield make


def walking(renderer, slot, frames=24, **text):
    made = renderer.walk(slot, walk(1, 9, frames), AnimationFormat.GIF, text)
    return asyncio.create_task(made)


@pytest.fixture
def slot():
    return Slot("dcgan", "0" * 12, PaintingEngine(1), card_for("dcgan"))


async def test_too_many_pictures_to_encode_are_refused_before_the_forward_pass(
    slot, encoder, new_renderer, monkeypatch
):
    table = dict.fromkeys(PictureFormat, SimpleNamespace(encode=encoder.picture))
    monkeypatch.setattr(rendering, "ENCODINGS", table)
    renderer = new_renderer(max_waiting=3)
    first = asyncio.create_task(renderer.sheet(slot, range(4), None))
    await until(lambda: renderer._encoding == 4)
    with pytest.raises(Busy):
        await renderer.cats(slot, range(2))
    encoder.may_go.set()
    assert pixels_of(await first).shape == (16, 16, 3)
    assert len(slot.engine.batches) == 1


async def test_a_walk_leaves_a_thread_to_the_cats(slot, encoder, new_renderer):
    """While one walk is encoded and another one waits, a cat is encoded and sent."""
    renderer = new_renderer(encode_threads=2)
    walks = [walking(renderer, slot, n=n) for n in "12"]
    await until(lambda: renderer._encoding == 48 and encoder.begun)
    assert len(await renderer.cats(slot, [7])) == 1
    assert (encoder.begun, renderer._encoding) == (["1"], 48)
    encoder.may_go.set()
    assert [len(file) for file in await asyncio.gather(*walks)] == [24, 24]
    assert renderer._encoding == 0


async def test_walks_whose_clients_leave_hold_up_no_cat(slot, encoder, new_renderer):
    """Whoever asks for walks and hangs up gains nothing by it: a few are made, others refused."""
    renderer = new_renderer(encode_threads=1)
    left = [walking(renderer, slot, n=str(n)) for n in range(MAX_WALKS)]
    await until(lambda: renderer._encoding == 24 * MAX_WALKS and encoder.begun)
    with pytest.raises(Busy, match="walks"):
        await walking(renderer, slot)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    # The one that is being encoded cannot be called off; the others were.
    await until(lambda: renderer._encoding == 24)
    assert len(await renderer.cats(slot, [7])) == 1
    encoder.may_go.set()
    assert len(await walking(renderer, slot, n="5")) == 24
    assert (encoder.begun, renderer._encoding) == (["0", "5"], 0)


async def test_the_frames_of_a_walk_count_as_pictures_that_wait(slot, encoder, new_renderer):
    renderer = new_renderer(max_waiting=20)
    first = walking(renderer, slot)
    await until(lambda: renderer._encoding == 24)
    with pytest.raises(Busy):
        await walking(renderer, slot, frames=2)
    encoder.may_go.set()
    assert len(await first) == 24


async def test_what_was_encoded_is_told_beside_how_long_it_took(slot, new_renderer):
    """A cat, a sheet and a walk are one observation each, under their kind and format."""
    telemetry = Telemetry()
    renderer = new_renderer(telemetry=telemetry)
    await renderer.cats(slot, range(5), encoding=PictureFormat.WEBP)
    await renderer.sheet(slot, range(5), None)
    await renderer.walk(slot, walk(1, 9, 3), AnimationFormat.GIF, {})
    for kind, format_, count in (("cat", "webp", 5), ("sheet", "png", 1), ("walk", "gif", 1)):
        labels = {"kind": kind, "format": format_}
        told = telemetry.registry.get_sample_value("cattery_encode_seconds_count", labels)
        assert told == count
    assert telemetry.registry.get_sample_value("cattery_encoding_images") == 0
