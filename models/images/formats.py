"""The one table of image formats, and contact sheets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from math import ceil, isqrt

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, features

from models.errors import InvalidValue
from models.images import png

# Sheets of larger images show fewer: sixty-four at 256 px would take six megabytes.
LARGEST_OF_64_PX = 128
WEBP_LARGEST_PX = 16_383  # the format's own limit of width and height
# The next method takes 3.5 times as long for four percent fewer bytes.
WEBP_METHOD, WEBP_EFFORT = 0, 0


class PictureFormat(StrEnum):
    """Formats of an image; also the extension of its file."""

    PNG = "png"
    WEBP = "webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One image format; all are lossless.

    Attributes:
        media_type: As HTTP names it.
        encoder: Name of the encoder and its settings; part of every ETag.
        encode: (H, W, 3) uint8 and provenance to a file; equal pixels and text give
            equal bytes.
    """

    media_type: str
    encoder: str
    encode: Callable[[NDArray[np.uint8], Mapping[str, str]], bytes]


def encode_png(pixels: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode (H, W, 3) uint8 as PNG; the provenance goes into text chunks."""
    return png.encode(pixels, text or {})


def encode_webp(pixels: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode (H, W, 3) uint8 as WebP; the provenance is EXIF's image description.

    Losslessly: a seed gives the same pixels in every format.

    Raises:
        InvalidValue: The image is larger than the format allows.
    """
    side = max(pixels.shape[:2])
    if side > WEBP_LARGEST_PX:
        raise InvalidValue("size_px", side, f"at most {WEBP_LARGEST_PX} for a WebP file")
    options = {}
    if text:
        exif = Image.Exif()
        lines = [f"{key}: {value}" for key, value in text.items()]
        exif[ExifTags.Base.ImageDescription] = "\n".join(lines)
        options["exif"] = exif
    out = BytesIO()
    Image.fromarray(pixels).save(
        out, "WEBP", lossless=True, method=WEBP_METHOD, quality=WEBP_EFFORT, **options
    )
    return out.getvalue()


ENCODINGS: Mapping[PictureFormat, Encoding] = {
    PictureFormat.PNG: Encoding(media_type="image/png", encoder=png.ENCODER, encode=encode_png),
    PictureFormat.WEBP: Encoding(
        media_type="image/webp",
        encoder=f"webp-lossless-1, libwebp {features.version('webp')}, "
        f"{WEBP_METHOD}, {WEBP_EFFORT}",
        encode=encode_webp,
    ),
}


def default_columns(count: int) -> int:
    """Return the columns of the squarest sheet: the square root, rounded up."""
    return isqrt(count - 1) + 1 if count > 0 else 1


def card_seeds(size_px: int) -> range:
    """Return the seeds of a version's contact sheet: 64, or 16 where images are large."""
    return range(64 if size_px <= LARGEST_OF_64_PX else 16)


def contact_sheet(pixels: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """Arrange images edge to edge, row by row; empty cells are black.

    Args:
        pixels: (N, H, W, 3) uint8.
        columns: Images per row; `default_columns(N)` if None.

    Returns:
        (rows * H, columns * W, 3) uint8.
    """
    count, height, width, colors = pixels.shape
    columns = columns or default_columns(count)
    rows = ceil(count / columns)
    sheet = np.zeros((rows * columns, height, width, colors), np.uint8)
    sheet[:count] = pixels
    grid = sheet.reshape(rows, columns, height, width, colors).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, colors)
