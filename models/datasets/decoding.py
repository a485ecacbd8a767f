"""Untrusted image files in, upright RGB squares out, in bounded memory.

An image is opened by its content, never by its name, in four formats only, and its size is
checked before a pixel is decoded. Of an animation the first frame is taken, EXIF orientation is
applied, 16 bits become 8, and transparency is laid over white. Color profiles are ignored.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from models.datasets.cropping import center_square, straighten
from models.datasets.landmarks import Face
from models.datasets.rejections import THUMBNAIL_PX, Reason, Refused

# Few formats: each decoder is code that untrusted files can reach.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SIZES_PX = (32, 64, 128, 256, 512)
MAX_PIXELS = 64_000_000
MAX_WEBP_PIXELS = 24_000_000  # its decoder keeps four copies: 1 GB for 64 megapixels

# A larger crop is averaged down first, to no less than this: plenty for the largest size.
WORKING_PX = 2 * SIZES_PX[-1]

# Threads decode such images one at a time, to bound memory.
LARGE_PIXELS = 8_000_000

# What Pillow is known to raise on damaged files, besides its own errors.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    AttributeError,
    struct.error,
    zlib.error,
)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LEVEL_TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A square cut out of an image.

    Attributes:
        image: RGB square, at most about `2 * WORKING_PX` wide.
        reach_px: Its width in the image itself; nothing is enlarged beyond it.
    """

    image: Image.Image
    reach_px: int

    def sizes(self) -> tuple[int, ...]:
        """Return the sizes that need no enlarging."""
        return tuple(px for px in SIZES_PX if px <= self.reach_px)

    def at(self, size_px: int) -> Image.Image:
        """Return the square at one size, antialiased."""
        if self.image.size == (size_px, size_px):
            return self.image
        return self.image.resize((size_px, size_px), Image.Resampling.LANCZOS)


def cut_square(
    raw: bytes, face: Face | None = None, large: AbstractContextManager[object] | None = None
) -> Cut:
    """Decode an image and cut out its face, or its center square if no face is given.

    Args:
        raw: The file's content.
        face: Where the face is, in pixels of the upright image.
        large: Held while an image of `LARGE_PIXELS` or more is in memory: a lock.

    Raises:
        Refused: The image is damaged, of another format, too small or too
            large, or the face is not in it.
    """
    with _blaming_the_file():
        image = Image.open(io.BytesIO(raw), formats=FORMATS)
    # Opening reads the header alone, so that a bomb is rejected before anything is allocated.
    _check_pixels(image)
    is_large = image.width * image.height >= LARGE_PIXELS
    with large if large is not None and is_large else nullcontext():
        try:
            return _cut(image, face)
        except Refused as refused:
            refused.thumbnail = _thumbnail(image)
            raise


@contextmanager
def _blaming_the_file() -> Iterator[None]:
    """Turn what Pillow raises into a rejection of the image."""
    try:
        yield
    except UnidentifiedImageError as err:
        raise Refused(Reason.UNREADABLE, f"not an image in {', '.join(FORMATS)}") from err
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise Refused(Reason.TOO_LARGE, str(err)) from err
    except DAMAGED as err:
        raise Refused(Reason.UNREADABLE, f"damaged: {err}") from err


def _check_pixels(image: Image.Image) -> None:
    most = MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    if image.width * image.height > most:
        detail = f"{image.width}x{image.height} pixels in {image.format}; at most {most} are read"
        raise Refused(Reason.TOO_LARGE, detail)


def _cut(image: Image.Image, face: Face | None) -> Cut:
    turn = _turn(image)
    width, height = image.size if turn is None or turn in LEVEL_TURNS else image.size[::-1]
    side = min(width, height) if face is None else face.side
    reach = math.floor(side + 1e-6)  # sines and cosines must not cost a pixel
    if reach < SIZES_PX[0]:
        detail = f"the square is {reach} pixels wide, at least {SIZES_PX[0]} are needed"
        raise Refused(Reason.TOO_SMALL, detail)
    if face is not None:
        _check_inside(face, width, height)
    upright, scale = _decode(image, turn, math.floor(side / WORKING_PX))
    factor = max(1, math.floor(side / scale / WORKING_PX))
    if face is None:
        square = center_square(upright, factor)
    else:
        square = straighten(upright, _scaled(face, scale), factor)
    return Cut(image=square, reach_px=reach)


def _thumbnail(image: Image.Image) -> NDArray[np.uint8] | None:
    """Return a small picture of a rejected image, None if it is damaged."""
    try:
        whole = ImageOps.contain(image.convert("RGB"), (THUMBNAIL_PX, THUMBNAIL_PX))
    except DAMAGED:
        return None
    return np.asarray(ImageOps.pad(whole, (THUMBNAIL_PX, THUMBNAIL_PX)))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what turns the image upright, None for nothing or damaged EXIF."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGED:
        return None


def _check_inside(face: Face, width: int, height: int) -> None:
    if not (0 <= face.x <= width and 0 <= face.y <= height):
        detail = f"the eyes are at ({face.x:g}, {face.y:g}), outside of {width}x{height} pixels"
        raise Refused(Reason.LANDMARKS, detail)
    if face.side > 2 * max(width, height):
        detail = f"the face is {face.side:.0f} pixels wide in an image of {width}x{height}"
        raise Refused(Reason.LANDMARKS, detail)


def _decode(
    image: Image.Image, turn: Image.Transpose | None, shrink: int
) -> tuple[Image.Image, float]:
    """Decode all pixels, a JPEG up to `shrink` times smaller.

    Returns:
        The upright image, and how many original pixels one of its pixels spans.
    """
    width, height = image.size
    with _blaming_the_file():
        if shrink > 1:
            image.draft(None, (width // shrink, height // shrink))  # of no effect except on JPEG
        image.load()
    # Draft mode shrinks by 1, 2, 4 or 8 and rounds sizes up: rounding recovers the factor.
    scale = float(round(width / image.width))
    return (image if turn is None else image.transpose(turn)), scale


def _scaled(face: Face, scale: float) -> Face:
    return Face(x=face.x / scale, y=face.y / scale, angle=face.angle, side=face.side / scale)
