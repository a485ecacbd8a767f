"""What a decoded image's numbers mean: depths beyond 8 bits, and alpha channels that are none."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.png_chunks import bit_depth, essential

# Sensors and scanners write 10, 12 or 14 bits into 16: scaled as 16, they would be almost black.
DEPTHS = (8, 10, 12, 14, 16)


def to_eight_bits(image: Image.Image, raw: bytes) -> Image.Image:
    """Return a decoded image in 8 bits per channel, scaled by the depth that its data use.

    Args:
        image: With all pixels decoded.
        raw: The file that it was opened from.
    """
    if image.mode.startswith("I"):
        levels = np.asarray(image)
        return Image.fromarray(_scaled(levels, int(levels.max())))
    if image.format == "PNG" and image.mode == "RGB" and bit_depth(raw) == 16:
        return _deep_color(image, raw)
    if image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB")  # 32 bits, a quarter of them unused; browsers do the same
    return image


def _scaled(levels: NDArray[np.integer], most: int) -> NDArray[np.uint8]:
    """Shift levels of 16 bits, the largest of which is `most`, to 8."""
    depth = next((depth for depth in DEPTHS if most < 2**depth), DEPTHS[-1])
    return (levels >> (depth - 8)).clip(0, 255).astype(np.uint8)


def _deep_color(high: Image.Image, raw: bytes) -> Image.Image:
    """Decode 16-bit color again if its upper bytes, all that Pillow takes, are mostly empty."""
    most = max(int(band[1]) for band in high.getextrema())  # type: ignore[index]
    if most >= 2 ** (DEPTHS[-2] - 8):
        return high
    low = Image.open(io.BytesIO(essential(raw)), formats=["PNG"])
    # Little-endian takes the other byte of each level: the lower one.
    low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
    levels = np.asarray(high).astype(np.uint16) << 8 | np.asarray(low)
    return Image.fromarray(_scaled(levels, int(levels.max())))
