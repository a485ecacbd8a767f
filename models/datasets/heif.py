"""HEIF, of which a phone's largest photographs are decoded without a copy of all their pixels."""

import io

import numpy as np
from PIL import Image

# So that decoding one takes less than 256 MB. By bits, chroma subsampling and mode; bytes per
# pixel were measured with libheif 1.23. A phone's 48 megapixels are of the first kind.
MAX_PIXELS = {
    (8, 420, "RGB"): 50_000_000,  # 4.6 bytes if reduced
    (8, None, "L"): 50_000_000,  # 2.6
    (10, 420, "RGB"): 33_000_000,  # 7.6
    (8, 420, "RGBA"): 31_000_000,  # 8
    (8, 444, "RGB"): 28_000_000,  # 9.1
}
MAX_OTHER_PIXELS = 12_000_000  # 20.3 for 10 bits, 4:4:4 and alpha

# Larger ones are decoded at half size at most: Pillow's copy brings 4.6 bytes to 7.1.
MAX_WHOLE_PIXELS = 35_000_000

STRIP_ROWS = 128  # rows of the result converted at once


def open_heif(raw: bytes) -> Image.Image:
    """Open an image; no pixel is decoded yet."""
    # Not registered in Pillow's own list, which belongs to the whole process.
    from pi_heif import HeifImageFile  # loads libheif, which few imports need

    heif: Image.Image = HeifImageFile(io.BytesIO(raw))
    return heif


def max_pixels(image: Image.Image) -> int:
    """Return how many pixels an opened image may have, which depends on what they are made of."""
    kind = (image.info["bit_depth"], image.info.get("chroma"), image.mode)
    return MAX_PIXELS.get(kind, MAX_OTHER_PIXELS)


def decode_reduced(raw: bytes, factor: int) -> Image.Image:
    """Decode an image averaged over `factor` by `factor` pixels.

    Pillow's copy of all pixels takes as much again as libheif's result; here the latter is
    averaged strip by strip.
    """
    from pi_heif import open_heif

    heif = open_heif(io.BytesIO(raw))
    rows = np.frombuffer(heif.data, np.uint8).reshape(-1, heif.stride)
    width, height = heif.size  # after decoding, which may correct it
    pixels = rows[:height, : width * len(heif.mode)].reshape(height, width, len(heif.mode))
    reduced = Image.new(heif.mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, reduced.height, STRIP_ROWS):
        strip = Image.fromarray(pixels[top * factor : (top + STRIP_ROWS) * factor].squeeze())
        reduced.paste(strip.reduce(factor), (0, top))
    return reduced
