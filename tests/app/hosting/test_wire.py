"""Tests of app.hosting.wire and app.hosting.failures."""

import socket

import numpy as np
import pytest

from app.hosting import wire
from app.hosting.failures import HostFailed, failure_of, failure_told
from app.problems.errors import Busy, DeadlineExceeded
from models.errors import CatteryError, InvalidValue, NotFound, RecipeError, StoreError
from models.inference.latents import Interpolated


def sent(*pieces):
    """Return what the other end of a socket receives."""
    here, there = socket.socketpair()
    with here, there:
        for piece in pieces:
            here.sendall(piece)
        here.shutdown(socket.SHUT_WR)
        return wire.receive(there)


def test_pixels_arrive_as_they_are():
    """Shape and values survive, also of an array whose rows do not lie side by side."""
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)[:, ::2]
    told, received = sent(*wire.packed({"a": 1}, pixels))
    assert told == {"a": 1, "shape": [2, 2, 4, 3]}
    assert np.array_equal(pixels, received)


def test_a_message_may_have_no_pixels():
    """Then none are received."""
    assert sent(*wire.packed({"a": [1, "b"]})) == ({"a": [1, "b"]}, None)


def test_points_are_the_same_on_the_other_side():
    """Seeds and places survive to the last digit."""
    points = [0, 2**53 - 1, Interpolated(start=1, end=2, share=1 / 3, truncation=0.1)]
    told, _ = sent(*wire.packed({"points": wire.points_told(points)}))
    assert wire.points_of(told["points"]) == points


@pytest.mark.parametrize("told", [None, ["seven"], [[1, 2]], [None]])
def test_what_is_no_point_is_refused(told):
    """A broken message is no guess."""
    with pytest.raises(wire.BrokenMessage):
        wire.points_of(told)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\0",
        b"\0\0\0\5\0\0\0\0{}",
        b"\0\0\0\2\0\0\0\0{x",
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\2\0\0\0\3{}abc",
        b'\0\0\0\x0d\0\0\0\3{"shape":[2]}abc',
        b"\xff\xff\xff\xff\0\0\0\0",
    ],
)
def test_a_broken_message_is_told(message):
    """Cut short, no JSON, no object, pixels without their shape, or endless."""
    with pytest.raises(wire.BrokenMessage):
        sent(message)


@pytest.mark.parametrize(
    "err",
    [
        InvalidValue("share", 1.5, "0 to 1"),
        NotFound("version", "dcgan@1", ["a", "b"]),
        StoreError("The disk is away.", "Bring it back."),
        Busy("Too many.", retry_after_s=7),
        DeadlineExceeded(2.5),
        CatteryError("It broke."),
    ],
)
def test_an_error_is_the_same_on_the_other_side(err):
    """Class, attributes and message survive."""
    told, _ = sent(*wire.packed({"failure": failure_told(err)}))
    again = failure_of(told["failure"])
    assert type(again) is type(err)
    assert vars(again) == vars(err)
    assert str(again) == str(err)


def test_an_error_of_another_kind_is_told_as_its_nearest():
    """A recipe's error is an invalid value; what is not ours keeps its words."""
    assert type(failure_of(failure_told(RecipeError("a", object, "b")))) is InvalidValue
    other = failure_of(failure_told(KeyError("x")))
    assert isinstance(other, HostFailed)
    assert str(other) == "KeyError: 'x'"
