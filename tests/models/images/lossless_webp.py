"""A slow decoder of lossless WebP, written from the standard alone: what Pillow's is held against.

Source: RFC 9649 (WebP Image Format), sections 2 and 3.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Pixel = tuple[int, int, int, int]
"""Alpha, red, green, blue."""

Transform = Callable[[list[Pixel], int], tuple[list[Pixel], int]]
"""Undoes itself: pixels and their width to pixels and theirs."""

LENGTHS_ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
LENGTH_CODES, DISTANCE_CODES = 24, 40
OPAQUE: Pixel = (255, 0, 0, 0)

# Short distances are places: high four bits rows up, 8 less the low four bits columns to the left.
PLACES = bytes.fromhex(
    "1807171928062729161a262a38053739151b363a252b48044749141c353b464a242c58454b343c03"
    "5759131d565a232d444c555b333d68026769121e666a222e545c434d656b323e78017779535d111f"
    "646c424e767a212f757b313f636d525e00747c414f1020626e30737d515f40727e616f50717f6070"
)


def decoded(file: bytes) -> NDArray[np.uint8]:
    """Return a file's colors: (H, W, 3) uint8."""
    bits = _Bits(dict(_chunks(file))[b"VP8L"])
    assert bits.read(8) == 0x2F
    width, height = bits.read(14) + 1, bits.read(14) + 1
    bits.read(1)
    assert bits.read(3) == 0
    transforms, inner = [], width
    while bits.read(1):
        transform, inner = _transform(bits, inner, height)
        transforms.append(transform)
    pixels = _entropy_coded(bits, inner, height, is_whole=True)
    for transform in reversed(transforms):
        pixels, inner = transform(pixels, inner)
    return np.array(pixels, np.uint8).reshape(height, width, 4)[:, :, 1:]


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert (file[:4], file[8:12]) == (b"RIFF", b"WEBP")
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    at = 12
    while at < len(file):
        size = int.from_bytes(file[at + 4 : at + 8], "little")
        yield file[at : at + 4], file[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


class _Bits:
    """Reads numbers, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._value, self._left = 0, 0  # bits fetched and not yet read

    def read(self, count: int) -> int:
        while self._left < count:
            self._value |= self._data[self._at] << self._left
            self._at, self._left = self._at + 1, self._left + 8
        number = self._value & ((1 << count) - 1)
        self._value, self._left = self._value >> count, self._left - count
        return number


class _Code:
    """A canonical prefix code: symbols by (length, bits)."""

    def __init__(self, lengths: Sequence[int]) -> None:
        used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
        self._only = used[0][1] if len(used) == 1 else None
        self._symbols, code, before = {}, 0, 0
        for length, symbol in used:
            code <<= length - before
            self._symbols[length, code], before = symbol, length
            code += 1

    def read(self, bits: _Bits) -> int:
        if self._only is not None:
            return self._only
        length, code = 1, bits.read(1)
        while (length, code) not in self._symbols:
            length, code = length + 1, code << 1 | bits.read(1)
        return self._symbols[length, code]


def _code(bits: _Bits, alphabet: int) -> _Code:
    lengths = [0] * max(alphabet, 256)
    if bits.read(1):
        count = bits.read(1) + 1
        lengths[bits.read(8 if bits.read(1) else 1)] = 1
        if count == 2:
            lengths[bits.read(8)] = 1
        return _Code(lengths)
    of_lengths = [0] * 19
    for place in LENGTHS_ORDER[: bits.read(4) + 4]:
        of_lengths[place] = bits.read(3)
    code, left = _Code(of_lengths), alphabet
    if bits.read(1):
        left = 2 + bits.read(2 + 2 * bits.read(3))
    at, before = 0, 8
    while at < alphabet and left:
        left -= 1
        length = code.read(bits)
        if length < 16:
            lengths[at], at, before = length, at + 1, length or before
            continue
        least, more = {16: (3, 2), 17: (3, 3), 18: (11, 7)}[length]
        for _ in range(least + bits.read(more)):
            lengths[at], at = before if length == 16 else 0, at + 1
    return _Code(lengths)


def _entropy_coded(bits: _Bits, width: int, height: int, *, is_whole: bool = False) -> list[Pixel]:
    """Return width * height pixels: literals, repetitions and places of the color cache."""
    cache_bits = bits.read(4) if bits.read(1) else 0
    block, groups = 0, [0]
    if is_whole and bits.read(1):
        block = bits.read(3) + 2
        across = _blocks(width, block)
        image = _entropy_coded(bits, across, _blocks(height, block))
        groups = [red << 8 | green for _, red, green, _ in image]
    cache_size = 1 << cache_bits if cache_bits else 0
    alphabets = (256 + LENGTH_CODES + cache_size, 256, 256, 256, DISTANCE_CODES)
    codes = [[_code(bits, size) for size in alphabets] for _ in range(max(groups) + 1)]
    cache: list[Pixel] = [(0, 0, 0, 0)] * cache_size
    pixels: list[Pixel] = []
    while len(pixels) < width * height:
        y, x = divmod(len(pixels), width)
        group = groups[(y >> block) * across + (x >> block)] if block else 0
        green, red, blue, alpha, distance = codes[group]
        symbol = green.read(bits)
        if symbol < 256:
            r, b, a = red.read(bits), blue.read(bits), alpha.read(bits)
            new = [(a, r, symbol, b)]
        elif symbol < 256 + LENGTH_CODES:
            length = _number(bits, symbol - 256)
            back = _distance(_number(bits, distance.read(bits)), width)
            new = [pixels[-back + i % back] for i in range(length)]
        else:
            new = [cache[symbol - 256 - LENGTH_CODES]]
        pixels += new
        for pixel in new if cache_bits else ():
            cache[0x1E35A7BD * int.from_bytes(bytes(pixel)) % 2**32 >> (32 - cache_bits)] = pixel
    return pixels


def _number(bits: _Bits, prefix: int) -> int:
    if prefix < 4:
        return prefix + 1
    extra = (prefix - 2) >> 1
    return ((2 + (prefix & 1)) << extra) + bits.read(extra) + 1


def _distance(number: int, width: int) -> int:
    if number > len(PLACES):
        return number - len(PLACES)
    rows, columns = PLACES[number - 1] >> 4, 8 - (PLACES[number - 1] & 15)
    return max(1, rows * width + columns)


def _blocks(length: int, bits: int) -> int:
    return (length + (1 << bits) - 1) >> bits


def _transform(bits: _Bits, width: int, height: int) -> tuple[Transform, int]:
    """Read a transform; return what undoes it and the width of what lies within."""
    kind = bits.read(2)
    if kind == 2:
        return _add_green, width
    if kind == 3:
        count = bits.read(8) + 1
        packing = 0 if count > 16 else 1 if count > 4 else 2 if count > 2 else 3
        colors = np.array(_entropy_coded(bits, count, 1), np.uint8).cumsum(0, np.uint8)
        palette: list[Pixel] = [tuple(color) for color in colors.tolist()]
        return (lambda pixels, _: _looked_up(pixels, palette, packing, width, height)), _blocks(
            width, packing
        )
    size = bits.read(3) + 2
    data = _entropy_coded(bits, _blocks(width, size), _blocks(height, size))
    undo = _predicted if kind == 0 else _recolored
    return (lambda pixels, _: (undo(pixels, data, size, width), width)), width


def _add_green(pixels: list[Pixel], width: int) -> tuple[list[Pixel], int]:
    return [(a, (r + g) % 256, g, (b + g) % 256) for a, r, g, b in pixels], width


def _looked_up(
    pixels: list[Pixel], palette: list[Pixel], packing: int, width: int, height: int
) -> tuple[list[Pixel], int]:
    each, inner = 8 >> packing, _blocks(width, packing)
    found = []
    for y in range(height):
        for x in range(width):
            packed = pixels[y * inner + (x >> packing)][2]
            index = packed >> (x % (1 << packing)) * each & ((1 << each) - 1)
            found.append(palette[index] if index < len(palette) else (0, 0, 0, 0))
    return found, width


def _recolored(pixels: list[Pixel], data: list[Pixel], size: int, width: int) -> list[Pixel]:
    def delta(factor: int, color: int) -> int:
        return ((factor ^ 128) - 128) * ((color ^ 128) - 128) >> 5

    found, across = [], _blocks(width, size)
    for i, (a, r, g, b) in enumerate(pixels):
        _, red_to_blue, green_to_blue, green_to_red = data[
            (i // width >> size) * across + (i % width >> size)
        ]
        red = (r + delta(green_to_red, g)) % 256
        found.append((a, red, g, (b + delta(green_to_blue, g) + delta(red_to_blue, red)) % 256))
    return found


def _predicted(pixels: list[Pixel], data: list[Pixel], size: int, width: int) -> list[Pixel]:
    found: list[Pixel] = []
    across = _blocks(width, size)
    for i, pixel in enumerate(pixels):
        y, x = divmod(i, width)
        if i == 0:
            guess = OPAQUE
        elif y == 0:
            guess = found[-1]
        elif x == 0:
            guess = found[-width]
        else:
            mode = data[(y >> size) * across + (x >> size)][2]
            corners = found[-1], found[-width], found[-width + 1], found[-width - 1]
            guess = _guess(mode, *corners)
        found.append(_each(lambda p, q: (p + q) % 256, pixel, guess))
    return found


def _each(combine: Callable[..., int], *pixels: Pixel) -> Pixel:
    a, r, g, b = (combine(*values) for values in zip(*pixels, strict=True))
    return a, r, g, b


def _mean(one: Pixel, other: Pixel) -> Pixel:
    return _each(lambda p, q: (p + q) // 2, one, other)


def _guess(mode: int, left: Pixel, top: Pixel, top_right: Pixel, top_left: Pixel) -> Pixel:
    """Return what the neighbors let expect, by the block's mode."""
    plain = {0: OPAQUE, 1: left, 2: top, 3: top_right, 4: top_left, 14: OPAQUE, 15: OPAQUE}
    if mode in plain:
        return plain[mode]
    if mode == 11:
        far_left = sum(abs(t - c) for t, c in zip(top, top_left, strict=True))
        far_top = sum(abs(p - c) for p, c in zip(left, top_left, strict=True))
        return left if far_left < far_top else top
    if mode == 12:
        return _each(lambda p, q, c: max(0, min(255, p + q - c)), left, top, top_left)
    if mode == 13:
        half = lambda p, c: max(0, min(255, p + int((p - c) / 2)))  # noqa: E731 - toward zero
        return _each(half, _mean(left, top), top_left)
    return {
        5: lambda: _mean(_mean(left, top_right), top),
        6: lambda: _mean(left, top_left),
        7: lambda: _mean(left, top),
        8: lambda: _mean(top_left, top),
        9: lambda: _mean(top, top_right),
        10: lambda: _mean(_mean(left, top_left), _mean(top, top_right)),
    }[mode]()
