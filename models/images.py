"""Pictures as files: PNG encoding and contact sheets."""

from collections.abc import Mapping
from io import BytesIO
from math import ceil, isqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

ENCODER = "pillow-png-1"
"""Name of the encoder and its settings; part of every ETag."""

LARGEST_OF_64_PX = 128
"""Sheets of larger pictures show fewer: sixty-four of 256 px would take six megabytes."""


def encode_png(pixels: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode one picture.

    Args:
        pixels: (H, W, 3) uint8.
        text: Provenance for the PNG's text chunks.

    Returns:
        A PNG file; equal pixels and text give equal bytes.
    """
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value)
    out = BytesIO()
    # Level 1: half the time of the default level for a few percent more bytes on small cats.
    Image.fromarray(pixels).save(out, "PNG", pnginfo=chunks, compress_level=1)
    return out.getvalue()


def default_columns(count: int) -> int:
    """Return the columns of the squarest sheet: the square root, rounded up."""
    return isqrt(count - 1) + 1 if count > 0 else 1


def card_seeds(size_px: int) -> range:
    """Return the seeds of a version's contact sheet: 64 cats, or 16 where each is large."""
    return range(64 if size_px <= LARGEST_OF_64_PX else 16)


def contact_sheet(pixels: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """Lay pictures out edge to edge, row by row; empty places are black.

    Args:
        pixels: (N, H, W, 3) uint8.
        columns: Pictures a row; `default_columns(N)` if None.

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
