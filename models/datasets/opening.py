"""Untrusted image files: opened by content, with their size checked before a pixel is decoded."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from models.datasets.heif import max_pixels, open_heif
from models.datasets.png_chunks import essential
from models.datasets.rejections import Reason, Refused
from models.datasets.signatures import (
    FORMATS,
    MAX_PROGRESSIVE_PIXELS,
    NAMES,
    recognize,
)

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
    RuntimeError,
    struct.error,
    zlib.error,
)


def open_image(raw: bytes) -> Image.Image:
    """Open an image by its content; no pixel is decoded yet.

    Raises:
        Refused: It is damaged, of no format that is read, or has too many pixels.
    """
    kind = recognize(raw)
    if kind is None:
        raise Refused(Reason.UNREADABLE, f"not an image in {NAMES}")
    with blaming_the_file():
        image = _open(raw, kind)
    # Opening reads the header alone, so that a bomb is rejected before anything is allocated.
    _check_pixels(image, kind)
    return image


@contextmanager
def blaming_the_file() -> Iterator[None]:
    """Turn what Pillow raises into a rejection of the image."""
    try:
        yield
    except UnidentifiedImageError as err:
        raise Refused(Reason.UNREADABLE, f"not an image in {NAMES}") from err
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise Refused(Reason.TOO_LARGE, str(err)) from err
    except DAMAGED as err:
        raise Refused(Reason.UNREADABLE, f"damaged: {err}") from err


def _open(raw: bytes, kind: str) -> Image.Image:
    if kind == "HEIF":
        return open_heif(raw)
    if kind == "PNG":
        raw = essential(raw)
    return Image.open(io.BytesIO(raw), formats=[kind])


def _check_pixels(image: Image.Image, kind: str) -> None:
    most, name = FORMATS[kind].max_pixels, kind
    if kind == "JPEG" and "progressive" in image.info:
        # Its decoder keeps all coefficients, however small the result is asked to be.
        most, name = MAX_PROGRESSIVE_PIXELS, "progressive JPEG"
    if kind == "HEIF":
        most = max_pixels(image)
    if image.width * image.height > most:
        detail = f"{image.width}x{image.height} pixels in {name}; at most {most} are read"
        raise Refused(Reason.TOO_LARGE, detail)
