"""Any picture file becomes an upright RGB square, or is refused for a told reason."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from models.datasets.decoding import SIZES_PX, cut_faces, cut_square
from models.datasets.landmarks import Face
from models.datasets.rejections import Reason, Refused

# Prints the bytes by which a process grows, at its peak, while it cuts a square.
MEASURED_CUT = """
import resource, sys
from pathlib import Path
import pi_heif
from models.datasets.decoding import cut_square
raw = Path(sys.argv[1]).read_bytes()
peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
cut_square(raw)
print(peak() - before)
"""


def pixel(raw, place=(32, 32)):
    return cut_square(raw).image.getpixel(place)


def test_the_center_square_is_cut_from_a_wide_picture(encoded):
    image = Image.new("RGB", (200, 100), "red")
    image.paste("blue", (50, 0, 150, 100))
    cut = cut_square(encoded(image))
    assert cut.reach_px == 100
    assert cut.image.size == (100, 100)
    assert cut.image.getcolors() == [(100 * 100, (0, 0, 255))]
    assert cut.sizes() == (32, 64)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gray_and_color_pictures_become_rgb(encoded, kind, mode):
    raw = encoded(Image.new(mode, (64, 64), 100 if mode == "L" else (100, 100, 100)), kind)
    assert np.allclose(pixel(raw), (100, 100, 100), atol=2)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(encoded, mode):
    """A transparent pixel is white whatever color lies under it, a half one is mixed."""
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 0, 0, 128), (32, 0, 64, 64))
    raw = encoded(image.convert(mode))
    assert pixel(raw, (5, 5)) == (255, 255, 255)
    assert np.allclose(pixel(raw, (50, 5)), (127, 127, 127), atol=1)


def test_a_palette_with_a_transparent_color_is_laid_over_white(encoded):
    image = Image.new("P", (64, 64), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(1, (0, 0, 32, 64))
    raw = encoded(image, transparency=0)
    assert pixel(raw, (5, 5)) == (40, 50, 60)
    assert pixel(raw, (50, 5)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_and_cmyk_becomes_rgb(encoded):
    raw = encoded(Image.fromarray(np.full((64, 64), 0x8000, np.uint16)))
    assert pixel(raw) == (128, 128, 128)
    raw = encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG")
    assert np.allclose(pixel(raw), (255, 0, 0), atol=4)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_gives_its_first_frame(encoded, kind):
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
    raw = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.allclose(pixel(raw), (255, 0, 0), atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(encoded, orientation):
    """However the camera was held, the marked corner ends where the viewer saw it."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    seen = Image.new("RGB", (64, 64), "white")
    seen.paste("red", (0, 0, 32, 16))
    stored = seen if orientation == 1 else seen.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    cut = cut_square(encoded(stored, exif=exif))
    assert np.array_equal(np.asarray(cut.image), np.asarray(seen))


def test_a_phone_picture_is_turned_upright(pictures):
    """HEIC has its orientation in the container, which the decoder obeys; it must not twice."""
    cut = cut_square((pictures / "phone" / "turned.heic").read_bytes())
    assert cut.reach_px == 96
    with Image.open(pictures / "cats" / "00000.jpg") as cat:
        upright = cat.resize((96, 96), Image.Resampling.BICUBIC).transpose(
            Image.Transpose.ROTATE_270
        )
    assert np.abs(np.asarray(cut.image, int) - np.asarray(upright, int)).mean() < 10


def test_a_phone_picture_of_48_megapixels_is_read_in_little_memory(pictures):
    """Pillow's copy of all pixels would bring it to 340 MB."""
    path = pictures / "phone" / "48-megapixels.heic"
    peak = subprocess.run(  # its own process, whose peak is its own
        [sys.executable, "-c", MEASURED_CUT, str(path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert int(peak) < 256_000_000
    cut = cut_square(path.read_bytes())
    assert (cut.reach_px, cut.sizes()) == (6048, SIZES_PX)
    small = np.asarray(cut.at(64))
    assert np.allclose(small[8, 8], (255, 0, 0), atol=6)
    assert np.allclose(small[8, 56], (255, 255, 255), atol=6)
    assert np.allclose(small[56, 56], (0, 0, 255), atol=6)


def test_faces_in_48_megapixels_are_cut_from_half_the_size(pictures):
    raw = (pictures / "phone" / "48-megapixels.heic").read_bytes()
    seen = []

    def find(image):
        seen.append(image.size)
        return [Face(x=1000, y=800, angle=0, side=400)]

    (cut,) = cut_faces(raw, find)
    assert seen == [(4032, 3024)]
    assert (cut.reach_px, cut.image.size) == (400, (400, 400))


def test_a_small_face_in_48_megapixels_is_not_enlarged(pictures):
    """Landmarks are in pixels of the file, of which half are decoded."""
    raw = (pictures / "phone" / "48-megapixels.heic").read_bytes()
    cut = cut_square(raw, Face(x=2000, y=1600, angle=0, side=300))
    assert (cut.reach_px, cut.image.size) == (150, (150, 150))


def thumbnail_pixel(refused, row, column):
    assert refused.thumbnail.shape == (64, 64, 3)
    return tuple(refused.thumbnail[row, column])


@pytest.mark.parametrize("size", [(31, 2000), (2000, 31), (31, 31)])
def test_a_picture_that_is_refused_once_decoded_has_a_thumbnail(encoded, size):
    with pytest.raises(Refused) as refused:
        cut_square(encoded(Image.new("RGB", size, "red")))
    assert thumbnail_pixel(refused.value, 32, 32) == (255, 0, 0)


def test_a_picture_without_faces_has_an_upright_thumbnail(encoded):
    image = Image.new("RGB", (96, 48), "white")
    image.paste("red", (0, 0, 48, 48))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    with pytest.raises(Refused) as refused:
        cut_faces(encoded(image, exif=exif), lambda _image: [])
    assert refused.value.reason is Reason.NO_FACE
    assert thumbnail_pixel(refused.value, 8, 32) == (255, 0, 0)
    assert thumbnail_pixel(refused.value, 56, 32) == (255, 255, 255)


def test_damaged_exif_is_no_reason_to_refuse(encoded):
    raw = encoded(Image.new("RGB", (64, 64), "red"), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff")
    assert np.allclose(pixel(raw), (255, 0, 0), atol=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_large_picture_is_averaged_down_to_the_same_look(encoded, noise, kind):
    """Shrinking while decoding changes neither framing nor reach."""
    cut = cut_square(encoded(noise(1, (4000, 3000)), kind))
    assert cut.reach_px == 3000
    assert max(cut.image.size) <= 2048
    whole = noise(1, (4000, 3000)).crop((500, 0, 3500, 3000)).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(cut.at(64), int) - np.asarray(whole, int)).mean() < 4


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"This is a text file, not a cat.\n" * 50,
        b"GIF89a\x40\x00\x40\x00\x80\x00\x00" + bytes(100),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
    ],
)
def test_what_is_no_picture_is_unreadable(raw):
    with pytest.raises(Refused) as refused:
        cut_square(raw)
    assert refused.value.reason is Reason.UNREADABLE
    assert "0x" not in refused.value.detail, "no address of an object in what users read"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "AVIF"])
def test_damage_anywhere_is_refused_or_survived(encoded, noise, kind):
    """Flipped bytes never raise anything but a refusal."""
    raw = bytearray(encoded(noise(4, (64, 64)), kind))
    with pytest.raises(Refused) as half:
        cut_square(bytes(raw[: len(raw) // 2]))
    assert half.value.reason is Reason.UNREADABLE
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(raw)
        for place in random.integers(0, len(raw), 8):
            damaged[place] ^= int(random.integers(1, 256))
        try:
            outcomes.add(cut_square(bytes(damaged)).image.mode)
        except Refused as refused:
            outcomes.add(refused.reason)
    assert outcomes <= {"RGB", *Reason}
    assert Reason.UNREADABLE in outcomes


def test_a_picture_under_32_pixels_is_too_small(encoded):
    with pytest.raises(Refused, match="31 pixels") as refused:
        cut_square(encoded(Image.new("RGB", (500, 31))))
    assert refused.value.reason is Reason.TOO_SMALL
