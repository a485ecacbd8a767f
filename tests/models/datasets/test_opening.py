"""Image files are opened by content, and their claims are checked before a pixel is decoded."""

import struct
import zlib

import pytest
from PIL import Image

from models.datasets.opening import open_image
from models.datasets.rejections import Reason, Refused


def png_header(width, height):
    body = b"IHDR" + struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">L", 13) + body + struct.pack(">L", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(bytes(100))
    rest = struct.pack(">L", len(data) - 4) + data + struct.pack(">L", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + chunk + rest


@pytest.mark.parametrize("side", [6929, 12_000, 20_000, 2_000_000])
def test_a_picture_bomb_is_refused_by_its_header(side):
    """A header that promises too many pixels is enough; they are never decoded."""
    with pytest.raises(Refused) as refused:
        open_image(png_header(side, side))
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("kind", "side", "name", "options"),
    [
        ("WEBP", 3873, "WEBP", {"method": 0}),
        ("AVIF", 4900, "AVIF", {"speed": 10}),
        ("JPEG", 6001, "progressive JPEG", {"progressive": True}),
        ("BMP", 6929, "BMP", {}),
    ],
)
def test_decoders_that_need_more_memory_get_fewer_pixels(encoded, kind, side, name, options):
    raw = encoded(Image.new("L" if kind == "BMP" else "RGB", (side, side)), kind, **options)
    with pytest.raises(Refused, match=f"{side}x{side} pixels in {name}; at most") as refused:
        open_image(raw)
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_camera_of_fifty_megapixels_is_read(encoded):
    """Baseline JPEG is shrunk while it is decoded."""
    assert open_image(encoded(Image.new("L", (8160, 6144)), "JPEG")).size == (8160, 6144)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "ICO"])
def test_other_formats_never_reach_their_decoder(encoded, kind):
    """Each decoder is code that untrusted files can reach."""
    with pytest.raises(Refused, match="not an image in JPEG, PNG, WEBP, BMP, AVIF, HEIF"):
        open_image(encoded(Image.new("RGB", (64, 64)), kind))


def test_a_format_is_not_believed_beyond_its_first_bytes():
    for start in (
        b"\xff\xd8\xff",
        b"BM",
        b"RIFF\0\0\0\0WEBP",
        b"\0\0\0\x18ftypavif",
        b"\0\0\0\x18ftypheic",
    ):
        with pytest.raises(Refused) as refused:
            open_image(start + bytes(200))
        assert refused.value.reason is Reason.UNREADABLE
        assert "0x" not in refused.value.detail, "no address of an object in what users read"
