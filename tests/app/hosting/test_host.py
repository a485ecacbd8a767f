"""Tests of app.hosting.host, app.hosting.proxy and app.hosting.calling: ends of a real socket."""

import gc
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

import numpy as np
import pytest

from app.hosting import wire
from app.hosting.failures import HostFailed
from app.hosting.proxy import Host
from app.hosting.sockets import ENGINES
from app.problems.errors import Busy, DeadlineExceeded
from models.errors import CheckpointError, InvalidValue
from models.inference.latents import Interpolated
from tests.app.fake_engine import PaintingEngine, load_painting

WAIT_S = 20.0


@pytest.fixture
def front_end(folder):
    """Return a maker of front ends' views of the host."""

    def make(deadline_s=30.0, start_s=WAIT_S, return_s=WAIT_S):
        return Host(folder / ENGINES, deadline_s, start_s=start_s, return_s=return_s)

    return make


def wait_until(condition):
    """Wait until a condition holds, which the host's thread brings about."""
    end, pause = monotonic() + WAIT_S, Event()
    while not condition():
        assert monotonic() < end, "waited in vain"
        pause.wait(0.002)


def test_the_pictures_are_the_engines_own(hosting, front_end, weights):
    """What the host renders arrives byte for byte, of seeds and of places between them."""
    points = [3, 70_000, Interpolated(start=1, end=9, share=0.25, truncation=0.5), 2**53 - 1]
    with hosting(lanes=1) as host:
        engine = front_end().load(weights(20), "cpu")
        engine.warm()
        pixels = engine.render(points)
        assert host.loaded[0].batches == [points]
        assert pixels.dtype == np.uint8
        assert np.array_equal(load_painting(weights(20), "cpu").render(points), pixels)


def test_a_front_end_knows_what_an_etag_needs(hosting, front_end, weights):
    """Name, size and the rest are those of the engine in the host."""
    with hosting() as host:
        engine = front_end().load(weights(size_px=16, truncates=False, name="oil"), "cpu")
        own = host.loaded[0]
        assert (own.name, own.size_px, own.truncates, own.nbytes) == (
            engine.name,
            engine.size_px,
            engine.truncates,
            engine.nbytes,
        )


def test_front_ends_share_an_engine_until_the_last_one_lets_go(hosting, front_end, weights):
    """A version is on the device once, however many serve it, and leaves with the last of them."""
    with hosting() as host:
        engines = [front_end().load(weights(), "cpu") for _ in range(3)]
        assert len(host.loaded) == 1
        assert host.host.engines.nbytes == engines[0].nbytes > 0
        engines.pop()
        assert engines[0].render([1]).shape == (1, 8, 8, 3)
        assert len(host.host.engines) == 1
        engines.clear()
        gc.collect()
        wait_until(lambda: len(host.host.engines) == 0)


def test_each_thread_gets_its_own_pictures(hosting, front_end, weights):
    """Lanes that render with one engine at the same time do not mix answers."""
    with hosting(), ThreadPoolExecutor(8) as lanes:
        engine = front_end().load(weights(), "cpu")
        seeds = range(100)
        pictures = lanes.map(lambda seed: engine.render([seed, seed + 100]), seeds)
        greens = [(int(p[0, 0, 0, 1]), int(p[1, 0, 0, 1])) for p in pictures]
    assert greens == [(seed, seed + 100) for seed in seeds]


def test_damaged_weights_are_told_in_the_same_words(hosting, front_end, weights):
    """A load fails as it would have failed in the front end, for each who asks."""
    with hosting() as host:
        for _ in range(2):
            with pytest.raises(CheckpointError, match="The generator paints what is not finite"):
                front_end().load(weights(255), "cpu")
        wait_until(lambda: len(host.host.engines) == 0)


def test_an_error_of_a_batch_comes_back_and_the_next_batch_is_rendered(hosting, front_end, weights):
    """A refused point is InvalidValue with field and value; what nobody foresaw is HostFailed."""
    errors = [InvalidValue("seed", -1, "0 or more"), RuntimeError("out of paint")]

    class Refusing(PaintingEngine):
        def render(self, points):
            if errors:
                raise errors.pop(0)
            return super().render(points)

    with hosting(lambda *_: Refusing(10)):
        engine = front_end().load(weights(), "cpu")
        with pytest.raises(InvalidValue, match=r"seed is -1\. Allowed: 0 or more\.") as caught:
            engine.render([1])
        assert (caught.value.field, caught.value.value) == ("seed", -1)
        with pytest.raises(HostFailed, match="RuntimeError: out of paint"):
            engine.render([1])
        assert len(engine.render([1])) == 1


def test_what_a_dead_front_end_wanted_is_not_rendered(hosting, front_end, weights):
    """A connection that ends takes its request out of the line."""
    with hosting(lanes=1) as host, ThreadPoolExecutor(1) as lane:
        engine = front_end().load(weights(), "cpu")
        own = host.loaded[0]
        own.may_go.clear()
        held_up = lane.submit(engine.render, [1])
        assert own.is_busy.wait(WAIT_S)
        with socket.socket(socket.AF_UNIX) as dying:
            dying.connect(str(host.path))
            order = {"weights": str(weights()), "device": "cpu", "canonical": ""}
            for message in (order, {"points": [2]}):
                dying.sendall(b"".join(wire.packed(message)))
            wait_until(lambda: host.host.waiting == 1)
        wait_until(lambda: host.host.waiting == 0)
        own.may_go.set()
        assert len(held_up.result(WAIT_S)) == 1
        engine.render([3])
        assert own.batches == [[1], [3]]


def test_a_host_that_was_started_again_goes_on_with_the_same_engine(hosting, front_end, weights):
    """What is wanted meanwhile waits; the engine is loaded again by itself."""
    with hosting():
        engine = front_end().load(weights(30), "cpu")
        before = engine.render([7])
    with ThreadPoolExecutor(3) as lanes:
        waiting = [lanes.submit(engine.render, [7]) for _ in range(3)]
        with hosting() as host:
            for each in waiting:
                assert np.array_equal(before, each.result(WAIT_S))
            assert len(host.loaded) == 1


def test_a_host_that_stays_away_is_busy(hosting, front_end, weights):
    """Callers hear 503 and when to come again, of a load as of a picture."""
    with hosting():
        engine = front_end(return_s=0.01).load(weights(), "cpu")
    with pytest.raises(Busy, match="being started again"):
        engine.render([1])
    with pytest.raises(Busy, match="being started again"):
        front_end(start_s=0.01).load(weights(), "cpu")


def test_a_host_that_loads_for_long_after_its_return_is_busy_and_loads_on(
    hosting, front_end, weights
):
    """Callers hear 503 in time; what was loaded meanwhile is held for the next one."""
    may_load = Event()

    def load_slowly(*order):
        may_load.wait(WAIT_S)
        return load_painting(*order)

    front = front_end(return_s=0.01)
    with hosting():
        engine = front.load(weights(), "cpu")
    with hosting(load_slowly) as host:
        for _ in range(2):
            with pytest.raises(Busy, match="still being loaded"):
                engine.render([1])
        may_load.set()
        wait_until(lambda: host.host.engines.nbytes)
        front.return_s = WAIT_S
        assert len(engine.render([1])) == 1
        assert len(host.loaded) == 1


def test_a_front_end_that_ends_waits_for_no_load(hosting, front_end, weights):
    """Closing ends the wait of whoever has called a host that loads, first or again."""
    may_load, is_loading, front = Event(), Event(), front_end()

    def load_slowly(*order):
        is_loading.set()
        may_load.wait(WAIT_S)
        return load_painting(*order)

    with hosting():
        engine = front.load(weights(), "cpu")
    with hosting(load_slowly), ThreadPoolExecutor(2) as lanes:
        waiting = [
            lanes.submit(engine.render, [1]),
            lanes.submit(front.load, weights(20), "cpu"),
        ]
        assert is_loading.wait(WAIT_S)
        front.close()
        for each in waiting:
            with pytest.raises(Busy):
                each.result(WAIT_S / 2)
        may_load.set()


def test_a_front_end_that_ends_waits_for_no_host(front_end, weights):
    """Closing ends the wait of every lane."""
    host = front_end()
    host.close()
    began = monotonic()
    with pytest.raises(Busy):
        host.load(weights(), "cpu")
    assert monotonic() - began < WAIT_S / 2


def test_a_silent_host_is_a_deadline(hosting, front_end, weights, monkeypatch):
    """A host that hangs costs its callers no more than their deadline."""
    monkeypatch.setattr("app.hosting.proxy.MARGIN_S", 0.0)
    with hosting() as host:
        engine = front_end(deadline_s=0.05).load(weights(), "cpu")
        host.loaded[0].may_go.clear()
        with pytest.raises(DeadlineExceeded):
            engine.render([1])


def test_another_engine_never_paints_under_the_old_name(hosting, front_end, weights):
    """A host that chose otherwise after its restart is refused, for ETags name the engine."""
    with hosting():
        engine = front_end().load(weights(name="oil"), "cpu")
    weights(name="water")
    with hosting(), pytest.raises(CheckpointError, match="renders with water now, not oil"):
        engine.render([1])


@pytest.mark.parametrize("sent", [b"\0\0\0\2\0\0\0\0[]", b"\xff" * 8, b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_message_ends_its_connection_alone(hosting, front_end, weights, sent):
    """Others are served all the same."""
    with hosting() as host:
        engine = front_end().load(weights(), "cpu")
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(WAIT_S)
            stranger.connect(str(host.path))
            stranger.sendall(sent)
            assert stranger.recv(1) == b""
        assert len(engine.render([1])) == 1
