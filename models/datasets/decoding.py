"""Untrusted image files in, upright RGB squares out, in bounded memory.

Of an animation the first frame is taken, EXIF orientation is applied, more than 8 bits become 8,
and transparency is laid over white. Color profiles are ignored.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from models.datasets.cropping import center_square, overview, straighten
from models.datasets.heif import MAX_WHOLE_PIXELS, decode_reduced
from models.datasets.landmarks import Face
from models.datasets.opening import DAMAGED, blaming_the_file, open_image
from models.datasets.rejections import THUMBNAIL_PX, Reason, Refused
from models.datasets.tones import to_eight_bits

SIZES_PX = (32, 64, 128, 256, 512)
# A larger crop is averaged down first, to no less than this: plenty for the largest size.
WORKING_PX = 2 * SIZES_PX[-1]

# Threads decode such images one at a time, to bound memory.
LARGE_PIXELS = 8_000_000

# Why an image is refused that was not decoded, or could not be.
UNDECODED = (Reason.UNREADABLE, Reason.TOO_LARGE)

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
    image = open_image(raw)
    with _held(large, image), _picturing(lambda: _small(image, raw)):
        turn = _turn(image)
        width, height = image.size if turn is None or turn in LEVEL_TURNS else image.size[::-1]
        side = min(width, height) if face is None else face.side
        reach = _reach(side)
        if face is not None:
            _check_inside(face, width, height)
        upright, scale = _decode(image, raw, turn, math.floor(side / WORKING_PX))
        if scale > 1 and side / scale < SIZES_PX[-1]:
            reach = _reach(side / scale)  # a huge HEIF was halved: nothing is enlarged again
        return Cut(image=_square(upright, face, scale), reach_px=reach)


def cut_faces(
    raw: bytes,
    find: Callable[[Image.Image], list[Face]],
    large: AbstractContextManager[object] | None = None,
) -> list[Cut]:
    """Decode an image and cut out every face that `find` finds in it.

    Args:
        raw: The file's content.
        find: Returns the faces of an upright image.
        large: As for `cut_square`.

    Raises:
        Refused: The image cannot be decoded, has no face, or only faces that are too small.
    """
    image = open_image(raw)
    with _held(large, image), _picturing(lambda: _small(image, raw)):
        _reach(min(image.size))
        # Cut from half the size if it is huge, which fits into memory twice, turned as well.
        shrink = 2 if image.width * image.height > MAX_WHOLE_PIXELS else 1
        upright, _ = _decode(image, raw, _turn(image), shrink)
        with _picturing(lambda: upright):  # not decoded again
            faces = _large_enough(find(upright))
        return [Cut(_square(upright, face, 1), math.floor(face.side)) for face in faces]


def _large_enough(faces: list[Face]) -> list[Face]:
    if not faces:
        raise Refused(Reason.NO_FACE, "no cat's face was found that looks at the camera")
    large_enough = [face for face in faces if face.side >= SIZES_PX[0]]
    if not large_enough:
        _reach(max(face.side for face in faces))
    return large_enough


def _held(
    large: AbstractContextManager[object] | None, image: Image.Image
) -> AbstractContextManager[object]:
    is_large = image.width * image.height >= LARGE_PIXELS
    return large if large is not None and is_large else nullcontext()


@contextmanager
def _picturing(see: Callable[[], Image.Image]) -> Iterator[None]:
    """Attach a thumbnail of what `see` returns to a refusal, unless it cannot be decoded."""
    try:
        yield
    except Refused as refused:
        if refused.thumbnail is None and refused.reason not in UNDECODED:
            with suppress(Refused):
                refused.thumbnail = _thumbnail(see())
        raise


def _reach(side: float) -> int:
    """Return a square's width in whole pixels, which must be enough for the smallest size."""
    reach = math.floor(side + 1e-6)  # sines and cosines must not cost a pixel
    if reach < SIZES_PX[0]:
        detail = f"the square is {reach} pixels wide, at least {SIZES_PX[0]} are needed"
        raise Refused(Reason.TOO_SMALL, detail)
    return reach


def _square(upright: Image.Image, face: Face | None, scale: float) -> Image.Image:
    """Cut out a face, or the center; one pixel of `upright` spans `scale` of the original."""
    side = min(upright.size) if face is None else face.side / scale
    factor = max(1, math.floor(side / WORKING_PX))
    if face is None:
        return center_square(upright, factor)
    return straighten(upright, _scaled(face, scale), factor)


def _small(image: Image.Image, raw: bytes) -> Image.Image:
    """Decode an image as a small one, upright."""
    shrink = max(1, max(image.size) // (4 * THUMBNAIL_PX))
    # Turned when it is small: a large one is not to be in memory twice.
    small, turn = _reduced(_decode(image, raw, None, shrink)[0]), _turn(image)
    return small if turn is None else small.transpose(turn)


def _reduced(image: Image.Image) -> Image.Image:
    return overview(image, max(1, max(image.size) // (4 * THUMBNAIL_PX)))


def _thumbnail(upright: Image.Image) -> NDArray[np.uint8]:
    small = _reduced(upright)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return np.asarray(ImageOps.pad(small, (THUMBNAIL_PX, THUMBNAIL_PX)))


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
    image: Image.Image, raw: bytes, turn: Image.Transpose | None, shrink: int
) -> tuple[Image.Image, float]:
    """Decode all pixels, a JPEG up to `shrink` times smaller, a huge HEIF at least by half.

    Returns:
        The upright image, and how many original pixels one of its pixels spans.
    """
    width, height = image.size
    with blaming_the_file():
        if image.format == "HEIF" and width * height > MAX_WHOLE_PIXELS:
            plain = decode_reduced(raw, max(2, shrink))
        else:
            if shrink > 1:
                image.draft(None, (width // shrink, height // shrink))  # no effect except on JPEG
            image.load()
            plain = to_eight_bits(image, raw)
    # Draft mode shrinks by 1, 2, 4 or 8 and rounds sizes up: rounding recovers the factor.
    scale = float(round(width / plain.width))
    return (plain if turn is None else plain.transpose(turn)), scale


def _scaled(face: Face, scale: float) -> Face:
    return Face(x=face.x / scale, y=face.y / scale, angle=face.angle, side=face.side / scale)
