"""Square crops of decoded images: the center, or a face with its eyes level."""

import math

from PIL import Image

from models.datasets.landmarks import EYES_AT, Face

PADDING = (128, 128, 128)  # the 2017 script filled blank borders with this gray
PAPER = (255, 255, 255)  # under transparent pixels
STRIP_ROWS = 128  # rows of the result converted at once

Box = tuple[int, int, int, int]


def center_square(image: Image.Image, factor: int) -> Image.Image:
    """Return the center square as RGB, averaged over `factor` by `factor` pixels."""
    side = min(image.size) // factor * factor
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return _region(image, (left, top, left + side, top + side), factor)


def overview(image: Image.Image, factor: int) -> Image.Image:
    """Return the whole image as RGB, averaged over `factor` by `factor` pixels."""
    return _region(image, (0, 0, *image.size), factor)


def straighten(image: Image.Image, face: Face, factor: int) -> Image.Image:
    """Return a face as RGB, eyes level and at `EYES_AT`; gray where the image ends.

    Args:
        image: A decoded image in any mode.
        face: Where the face is in it.
        factor: Blocks of `factor` by `factor` pixels are averaged first.
    """
    box = _around(image, face)
    region = _region(image, box, factor)
    x, y, side = (face.x - box[0]) / factor, (face.y - box[1]) / factor, face.side / factor
    out_px = math.floor(side + 1e-6)
    step = side / out_px
    right = step * math.cos(face.angle), step * math.sin(face.angle)
    down = -right[1], right[0]
    eyes = EYES_AT[0] * out_px, EYES_AT[1] * out_px
    # Pillow maps the result's pixels back to the source's: rotate, then put the eyes in place.
    matrix = (
        *(right[0], down[0], x - eyes[0] * right[0] - eyes[1] * down[0]),
        *(right[1], down[1], y - eyes[0] * right[1] - eyes[1] * down[1]),
    )
    return region.transform(
        (out_px, out_px),
        Image.Transform.AFFINE,
        matrix,
        Image.Resampling.BICUBIC,
        fillcolor=PADDING,
    )


def _region(image: Image.Image, box: Box, factor: int) -> Image.Image:
    """Return a box of the image as RGB, averaged over `factor` by `factor` pixels.

    Strip by strip, so that a large image is never in memory twice.
    """
    left, top, right, bottom = box
    size = (math.ceil((right - left) / factor), math.ceil((bottom - top) / factor))
    region = Image.new("RGB", size)
    for row in range(0, size[1], STRIP_ROWS):
        start = top + row * factor
        end = min(bottom, start + STRIP_ROWS * factor)
        # reduce, not resize: it needs no rows beyond the strip, so that strips fit seamlessly.
        strip = _to_rgb(image.crop((left, start, right, end)))
        region.paste(strip.reduce(factor) if factor > 1 else strip, (0, row))
    return region


def _to_rgb(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, PAPER)
    return Image.alpha_composite(paper, layered).convert("RGB")


def _around(image: Image.Image, face: Face) -> Box:
    """Return a box around the rotated square, clipped to the image."""
    # The lower corners are farthest from the eyes; four pixels more are for interpolation.
    radius = math.hypot(max(EYES_AT[0], 1 - EYES_AT[0]), 1 - EYES_AT[1]) * face.side + 4
    return (
        max(0, math.floor(face.x - radius)),
        max(0, math.floor(face.y - radius)),
        min(image.width, math.ceil(face.x + radius)),
        min(image.height, math.ceil(face.y + radius)),
    )
