"""Chunks that no pixel depends on do not decide whether a PNG is read."""

import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from models.datasets.decoding import cut_square
from models.datasets.png_chunks import bit_depth, essential
from models.datasets.rejections import Refused


def chunk(kind, data, *, damage=0):
    checksum = zlib.crc32(kind + data) ^ damage
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", checksum)


def with_chunk(raw, added):
    """Return a PNG file with a chunk before its pixels."""
    place = raw.index(b"IDAT") - 4
    return raw[:place] + added + raw[place:]


@pytest.mark.parametrize(
    "added",
    [
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        chunk(b"tEXt", b"parameters\0" + b"x" * 2_000_000),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"tIME", b"abc", damage=1),
        chunk(b"gAMA", struct.pack(">L", 45455), damage=1),
        chunk(b"eXIf", b"II*\0", damage=1),
    ],
)
def test_large_or_damaged_metadata_is_left_out(encoded, noise, added):
    """Viewers and browsers show such a picture: its pixels are whole."""
    raw = encoded(noise(1))
    read = cut_square(with_chunk(raw, added)).image
    assert np.array_equal(np.asarray(read), np.asarray(cut_square(raw).image))


def test_a_damaged_header_is_still_refused(encoded, noise):
    raw = bytearray(encoded(noise(1)))
    raw[raw.index(b"IHDR") + 17] ^= 1  # its checksum
    with pytest.raises(Refused, match="not an image"):
        cut_square(bytes(raw))


def test_orientation_and_transparency_stay(encoded):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "x" * 100)
    image = Image.new("P", (96, 64), 0)
    raw = encoded(image, exif=exif, pnginfo=text, transparency=0)
    kept = essential(raw)
    assert b"comment" in raw
    assert b"comment" not in kept
    assert b"eXIf" in kept
    assert b"tRNS" in kept


def test_a_file_without_metadata_is_not_copied(encoded, noise):
    raw = encoded(noise(1))
    assert essential(raw) is raw


@pytest.mark.parametrize("length", [8, 20, 33, 60])
def test_a_cut_off_file_is_left_to_the_decoder(encoded, noise, length):
    cut_off = encoded(noise(1))[:length]
    assert essential(cut_off) == cut_off


def test_the_bit_depth_is_that_of_the_header(encoded):
    assert bit_depth(encoded(Image.new("RGB", (64, 64)))) == 8
    assert bit_depth(encoded(Image.new("I;16", (64, 64)))) == 16
    assert bit_depth(b"") == 0
