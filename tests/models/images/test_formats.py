"""Pictures as files, read back by Pillow; our own PNG also by its standard, byte by byte."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import InvalidValue
from models.images import png
from models.images.formats import ENCODINGS, WEBP_LARGEST_PX, PictureFormat, encode_png, encode_webp

Pixels = NDArray[np.uint8]

TEXT = {"Software": "Cattery 1", "Cattery-Model": "dcgan", "Cattery-Seed": "7"}
PHOTOGRAPHS = sorted((Path(__file__).parents[2] / "pictures" / "cats").glob("*.jpg"))[:3]


def _noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def _photograph(path: Path, size_px: int) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((size_px, size_px)))


PICTURES = {
    "noise": _noise(64, 64),
    "one pixel": _noise(1, 1),
    "one row": _noise(1, 200),
    "one column": _noise(200, 1),
    "not square": _noise(33, 65),
    "black": np.zeros((64, 64, 3), np.uint8),
    "white": np.full((64, 64, 3), 255, np.uint8),
    "steps of one": np.indices((256, 64))[0][..., None].repeat(3, 2).astype(np.uint8),
    "not contiguous": _noise(64, 128)[:, ::2],
    **{path.stem: _photograph(path, 128) for path in PHOTOGRAPHS},
    "large": _photograph(PHOTOGRAPHS[0], 160),
}


def _chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of a PNG file's chunks, their sums checked."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        content = file[at + 8 : at + 8 + length]
        (sum_,) = struct.unpack_from(">I", file, at + 8 + length)
        assert sum_ == zlib.crc32(kind + content)
        found.append((kind, content))
        at += 12 + length
    return found


def _decoded(file: bytes) -> Pixels:
    """Return a PNG file's pixels, by ISO/IEC 15948:2003, 9.2, byte after byte."""
    chunks = _chunks(file)
    width, height, *rest = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    assert (chunks[0][0], chunks[-1]) == (b"IHDR", (b"IEND", b""))
    raw = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    above, rows = [0] * (3 * width), []
    for begin in range(0, len(raw), 1 + 3 * width):
        assert raw[begin] == 3
        row: list[int] = []
        for i, byte in enumerate(raw[begin + 1 : begin + 1 + 3 * width]):
            left = row[i - 3] if i >= 3 else 0
            row.append((byte + (left + above[i]) // 2) % 256)
        rows.append(row)
        above = row
    return np.array(rows, np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_same_to_every_decoder(name):
    """Pillow's libraries, and for a PNG the standard, read byte by byte, find what went in."""
    pixels = PICTURES[name]
    png_file = encode_png(pixels, TEXT)
    assert np.array_equal(_decoded(png_file), pixels)
    for kind, file in (("PNG", png_file), ("WEBP", encode_webp(pixels, TEXT))):
        with Image.open(BytesIO(file)) as picture:
            assert (picture.format, picture.mode) == (kind, "RGB")
            assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_equal_pixels_and_text_give_equal_bytes(encoding):
    encode = ENCODINGS[encoding].encode
    files = {encode(PICTURES["large"], TEXT) for _ in range(3)}
    assert len(files) == 1
    assert encode(PICTURES["large"], {**TEXT, "Cattery-Seed": "8"}) not in files


def test_a_png_tells_its_origin_before_its_pixels():
    """One chunk a fact, in Latin-1 where that can spell it, and Pillow reads them all."""
    text = {**TEXT, "Cat": "Mié", "Katze": "猫"}
    file = encode_png(PICTURES["noise"], text)
    assert [kind for kind, _ in _chunks(file)] == [
        *(b"IHDR", b"tEXt", b"tEXt", b"tEXt", b"tEXt", b"iTXt", b"IDAT", b"IEND")
    ]
    with Image.open(BytesIO(file)) as picture:
        assert {key: picture.info[key] for key in text} == text


def test_a_webp_tells_its_origin_as_a_description():
    """EXIF's image description has a line a fact; without facts there is none."""
    with Image.open(BytesIO(encode_webp(PICTURES["noise"], TEXT))) as picture:
        told = picture.getexif()[0x010E]
    assert told == "Software: Cattery 1\nCattery-Model: dcgan\nCattery-Seed: 7"
    with Image.open(BytesIO(encode_webp(PICTURES["noise"]))) as picture:
        assert not picture.getexif()


def test_each_byte_is_told_by_what_lies_left_and_above():
    """A row's filter by hand: 10 above 30 and 50 beside, so 41 is 21 more than 20 and so on."""
    pixels = np.array([[[10, 0, 255], [31, 0, 255]], [[30, 9, 255], [41, 4, 0]]], np.uint8)
    # First row: nothing above. 31 - 10 // 2 = 26; 255 - 255 // 2 = 128.
    # Second row: 30 - 10 // 2 = 25; 41 - (30 + 31) // 2 = 11; 4 - 9 // 2 = 0; 0 - 255 = 1.
    expected = [[3, 10, 0, 255, 26, 0, 128], [3, 25, 9, 128, 11, 0, 1]]
    assert png.filtered(pixels).tolist() == expected


def test_the_table_has_a_row_per_format():
    assert list(ENCODINGS) == list(PictureFormat)
    assert [row.media_type for row in ENCODINGS.values()] == ["image/png", "image/webp"]
    assert len({row.encoder for row in ENCODINGS.values()}) == 2
    assert zlib.ZLIB_RUNTIME_VERSION in ENCODINGS[PictureFormat.PNG].encoder


def test_a_webp_that_would_be_too_large_is_refused():
    """The format ends at 16,383 pixels a side; the limit is told."""
    with pytest.raises(InvalidValue, match="16383"):
        encode_webp(np.zeros((1, WEBP_LARGEST_PX + 1, 3), np.uint8))
