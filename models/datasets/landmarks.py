"""Face landmarks: `.cat` files of the CAT dataset, and the crop that they define.

A `.cat` file holds, in one line, the number of points (9) and then x and y of:
left eye, right eye, mouth, left ear 1-3, right ear 1-3, in pixels of its image.

Source: W. Zhang, J. Sun and X. Tang, "Cat head detection: how to effectively
exploit shape and texture features", ECCV 2008.
"""

import math
from dataclasses import dataclass

from models.datasets.rejections import Reason, Refused

SUFFIX = ".cat"
POINTS = 9
LONGEST_FILE = 4096  # bytes; a genuine file has about a hundred
FARTHEST = 1e6  # pixels; no image that is read is that wide

# Where the point between the eyes lies in the crop, as fractions of its width.
EYES_AT = (0.5, 0.4)


@dataclass(frozen=True, slots=True)
class Face:
    """An upright face in an image.

    Attributes:
        x, y: The point between the eyes, continuous pixel coordinates (the
            center of the first pixel is at 0.5).
        angle: Radians from the image's x axis to the line of the eyes,
            clockwise as seen on a screen.
        side: Width of the square to crop, pixels.
    """

    x: float
    y: float
    angle: float
    side: float


def read_face(raw: bytes) -> Face:
    """Read a `.cat` file.

    The square is as wide as the outer ear bases are apart once the eyes are level.

    Raises:
        Refused: The file is damaged, or its points make no face.
    """
    points = _points(raw)
    left, right, mouth = points[0], points[1], points[2]
    x, y = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    if _mouth_is_above(left, right, mouth):
        left, right = right, left  # swapped labels, which must not turn the image upside down
    if left == right:
        raise Refused(Reason.LANDMARKS, f"both eyes are at {left}")
    angle = math.atan2(right[1] - left[1], right[0] - left[0])
    side = abs(_along(points[8], angle) - _along(points[3], angle))
    if side < 1:
        raise Refused(Reason.LANDMARKS, f"the ears are {side:.1f} pixels apart")
    # Annotations count pixels from 0 at their centers; here the first center is at 0.5.
    return Face(x=x + 0.5, y=y + 0.5, angle=angle, side=side)


def _points(raw: bytes) -> list[tuple[float, float]]:
    try:
        count, *numbers = [float(token) for token in raw.decode("ascii").split()]
    except ValueError as err:
        raise Refused(Reason.LANDMARKS, f"not a line of numbers: {err}") from err
    if count != POINTS or len(numbers) < 2 * POINTS:
        detail = f"declares {count:g} points and has {len(numbers) // 2}, needs {POINTS}"
        raise Refused(Reason.LANDMARKS, detail)
    if not all(abs(number) <= FARTHEST for number in numbers):  # false for nan as well
        raise Refused(Reason.LANDMARKS, f"a coordinate is not a number within {FARTHEST:g}")
    return list(zip(numbers[0 : 2 * POINTS : 2], numbers[1 : 2 * POINTS : 2], strict=True))


def _mouth_is_above(
    left: tuple[float, float], right: tuple[float, float], mouth: tuple[float, float]
) -> bool:
    """Whether the mouth is on the wrong side of the line from the left to the right eye."""
    down_x, down_y = left[1] - right[1], right[0] - left[0]
    from_eyes = mouth[0] - (left[0] + right[0]) / 2, mouth[1] - (left[1] + right[1]) / 2
    return down_x * from_eyes[0] + down_y * from_eyes[1] < 0


def _along(point: tuple[float, float], angle: float) -> float:
    """Return how far a point lies along the line of the eyes."""
    return point[0] * math.cos(angle) + point[1] * math.sin(angle)
