"""Sixteen bits that hold fewer, and alpha channels that hold nothing, give the picture meant."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.datasets.decoding import cut_square


def deep_png(levels):
    """Return a PNG file of 16 bits per channel; Pillow writes gray ones only."""

    def chunk(kind, data):
        return (
            struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        )

    height, width = levels.shape[:2]
    header = struct.pack(">LLBBBBB", width, height, 16, 2 if levels.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_levels_are_scaled_by_the_depth_that_they_use(bits, channels):
    """Twelve bits of a camera in sixteen were almost black."""
    levels = np.random.default_rng(0).integers(0, 2**bits, (64, 64, *channels))
    levels[0, 0] = 2**bits - 1
    wanted = levels >> (bits - 8)
    image = np.asarray(cut_square(deep_png(levels)).image, int)
    assert np.array_equal(image, wanted if channels else np.stack([wanted] * 3, 2))


def bitmap(pixels, alpha):
    """Return a BMP file of 32 bits per pixel that declares an alpha channel."""
    height, width = pixels.shape[:2]
    body = np.dstack([pixels[::-1, :, ::-1], np.full((height, width), alpha, np.uint8)]).tobytes()
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack(
        "<IiiHHIIiiII4I4s64x", *(124, width, height, 1, 32, 3, len(body), 2835, 2835, 0, 0), *masks,
        b"BGRs",
    )  # fmt: skip
    return (
        b"BM"
        + struct.pack("<IHHI", 14 + len(header) + len(body), 0, 0, 14 + len(header))
        + (header + body)
    )


def test_an_empty_alpha_channel_of_a_bitmap_is_none(noise):
    """Paint and browsers show its colors, too; a fourth byte is often just left at zero."""
    pixels = np.asarray(noise(1))
    assert np.array_equal(np.asarray(cut_square(bitmap(pixels, 0)).image), pixels)
    assert np.array_equal(np.asarray(cut_square(bitmap(pixels, 255)).image), pixels)
    half = np.asarray(cut_square(bitmap(pixels, 128)).image, int)
    assert np.abs(half - (255 + pixels.astype(int)) / 2).max() < 3


def test_an_empty_alpha_channel_of_a_png_is_transparent(encoded):
    clear = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    assert cut_square(encoded(clear)).image.getcolors() == [(64 * 64, (255, 255, 255))]
