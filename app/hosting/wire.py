"""Messages between front ends and engine host: a JSON object each, and bytes after it.

A message begins with the lengths of both, four bytes each, big-endian. Pixels travel as
they lie in memory, and everything else is plain data.
"""

import json
import socket
import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inference.latents import Interpolated, Point

_LENGTHS = struct.Struct("!II")

LONGEST_JSON = 1 << 20
"""Bytes; a batch's points take a hundredth of it."""

Pixels = NDArray[np.uint8]


class BrokenMessage(ConnectionError):
    """What came is no message: the connection is of no use any more."""


def packed(told: Mapping[str, Any], pixels: Pixels | None = None) -> list[bytes | memoryview]:
    """Return a message as pieces to send one after the other.

    Args:
        told: Plain data.
        pixels: (N, H, W, 3) uint8; their shape is told as well.
    """
    body = None if pixels is None else np.ascontiguousarray(pixels)
    if body is not None:
        told = {**told, "shape": body.shape}
    text = json.dumps(told).encode()
    head = _LENGTHS.pack(len(text), 0 if body is None else body.nbytes) + text
    return [head] if body is None else [head, body.data.cast("B")]


async def read(reader: StreamReader) -> dict[str, Any] | None:
    """Read a message without pixels; None at the end of the connection.

    Raises:
        BrokenMessage: It is none.
    """
    try:
        length, after = _checked(await reader.readexactly(_LENGTHS.size))
        text = await reader.readexactly(length)
    except IncompleteReadError:
        return None
    if after:
        raise BrokenMessage("Pixels came where none are read.")
    return _parsed(text)


def receive(connection: socket.socket) -> tuple[dict[str, Any], Pixels | None]:
    """Read a message and the pixels with it, if any; blocks.

    Raises:
        BrokenMessage: It is none, or the connection ended.
        OSError: The connection broke, or a time that was set on it is over.
    """
    head = _received(connection, _LENGTHS.size)
    length, after = _checked(head)
    told = _parsed(_received(connection, length))
    if not after:
        return told, None
    pixels = np.empty(_shape(told, after), np.uint8)
    _fill(connection, pixels.data.cast("B"))
    return told, pixels


def points_told(points: Sequence[Point]) -> list[Any]:
    """Return points as plain data."""
    return [
        [p.start, p.end, p.share, p.truncation] if isinstance(p, Interpolated) else p
        for p in points
    ]


def points_of(told: Any) -> list[Point]:
    """Return what `points_told` told.

    Raises:
        BrokenMessage: Something in it is no point.
    """
    try:
        return [p if isinstance(p, int) else _place(*p) for p in told]
    except TypeError as err:
        raise BrokenMessage(f"No points: {err}.") from err


def _place(start: int, end: int, share: float, truncation: float) -> Interpolated:
    return Interpolated(start=start, end=end, share=share, truncation=truncation)


def _checked(head: bytes) -> tuple[int, int]:
    length, after = _LENGTHS.unpack(head)
    if length > LONGEST_JSON:
        raise BrokenMessage(f"{length} bytes of JSON, of {LONGEST_JSON} that may be.")
    return length, after


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as err:
        raise BrokenMessage(f"No JSON: {err}.") from err
    if not isinstance(told, dict):
        raise BrokenMessage("No JSON object.")
    return told


def _shape(told: Mapping[str, Any], size: int) -> tuple[int, ...]:
    shape = told.get("shape")
    is_shape = isinstance(shape, list) and all(isinstance(side, int) for side in shape)
    if not (is_shape and shape and np.prod(shape) == size):
        raise BrokenMessage(f"{size} bytes are no pixels of shape {shape!r}.")
    return tuple(shape)


def _received(connection: socket.socket, size: int) -> bytes:
    room = bytearray(size)
    _fill(connection, memoryview(room))
    return bytes(room)


def _fill(connection: socket.socket, room: memoryview) -> None:
    while room:
        count = connection.recv_into(room)
        if not count:
            raise BrokenMessage("The connection ended.")
        room = room[count:]
