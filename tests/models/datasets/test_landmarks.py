"""Faces are cut out with the eyes level and in their place."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.datasets.decoding import cut_square
from models.datasets.landmarks import read_face
from models.datasets.rejections import Reason, Refused

EARS = [(0.0, 0.12), (0.05, -0.1), (0.22, -0.02), (0.78, -0.02), (0.95, -0.1), (1.0, 0.12)]
POINTS = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.75), *EARS]


def line(points):
    """Return the content of a `.cat` file."""
    numbers = " ".join(f"{x} {y}" for x, y in points)
    return f"{len(points)} {numbers} \n".encode()


def placed(side, degrees, eyes):
    """Return the nine points of a face, turned clockwise on the screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    offsets = [((u - 0.5) * side, (v - 0.4) * side) for u, v in POINTS]
    return [(eyes[0] + x * cos - y * sin, eyes[1] + x * sin + y * cos) for x, y in offsets]


def drawn(size, points):
    """Return a white picture with a red left eye, a blue right eye and a green mouth."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for (x, y), color in zip(points, ["red", "blue", "lime"], strict=False):
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=color)
    return image


def center_of(image, color):
    """Return the center of all pixels near a color, as fractions of the picture."""
    pixels = np.asarray(image, int)
    rows, columns = np.nonzero(np.abs(pixels - color).sum(axis=2) < 150)
    return (columns.mean() + 0.5) / image.width, (rows.mean() + 0.5) / image.height


@pytest.mark.parametrize("degrees", [0, 7.5, 45, -60, 90, 135, 180, -170])
def test_eyes_come_out_level_and_in_place(encoded, degrees):
    """Within a pixel, the eyes are level and their middle is at (0.5, 0.4), upright."""
    points = [(round(x), round(y)) for x, y in placed(200, degrees, (320, 300))]
    face = read_face(line(points))
    cut = cut_square(encoded(drawn((640, 600), points)), face)
    assert cut.reach_px == pytest.approx(200, abs=2)
    side = cut.image.width
    left, right = center_of(cut.image, (255, 0, 0)), center_of(cut.image, (0, 0, 255))
    assert left[1] * side == pytest.approx(right[1] * side, abs=1)
    assert (left[0] + right[0]) / 2 * side == pytest.approx(0.5 * side, abs=1)
    assert (left[1] + right[1]) / 2 * side == pytest.approx(0.4 * side, abs=1)
    assert left[0] < right[0]
    assert center_of(cut.image, (0, 255, 0))[1] > 0.6


def test_swapped_eye_labels_do_not_turn_the_cat_upside_down(encoded):
    """With left and right confused the mouth still comes out below the eyes."""
    points = placed(200, 20, (320, 300))
    swapped = [points[1], points[0], *points[2:]]
    cut = cut_square(encoded(drawn((640, 600), points)), read_face(line(swapped)))
    assert center_of(cut.image, (0, 255, 0))[1] > 0.6
    assert center_of(cut.image, (255, 0, 0))[1] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_face_is_shrunk_without_moving(encoded, factor, kind):
    """Decoding smaller keeps the eyes within a pixel of 64."""
    points = placed(600 * factor, 12, (450 * factor, 400 * factor))
    image = Image.new("RGB", (900 * factor, 800 * factor), "white")
    draw = ImageDraw.Draw(image)
    for (x, y), color in zip(points, ["red", "blue"], strict=False):
        draw.ellipse((x - 100, y - 100, x + 100, y + 100), fill=color)
    cut = cut_square(encoded(image, kind), read_face(line(points)))
    assert cut.reach_px == pytest.approx(600 * factor, abs=1)
    assert max(cut.image.size) <= 2048
    left, right = center_of(cut.image, (255, 0, 0)), center_of(cut.image, (0, 0, 255))
    assert 64 * (left[0] + right[0]) / 2 == pytest.approx(32, abs=1)
    assert 64 * left[1] == pytest.approx(64 * 0.4, abs=1)
    assert 64 * right[1] == pytest.approx(64 * 0.4, abs=1)


def test_a_crop_that_leaves_the_picture_is_padded_not_squashed(encoded):
    """Beyond the edge is gray 128; what is inside keeps its shape and place."""
    points = placed(200, 0, (40, 150))
    cut = cut_square(encoded(drawn((300, 300), points)), read_face(line(points)))
    assert cut.image.width == cut.image.height == 200
    assert cut.image.getpixel((10, 100)) == (128, 128, 128)
    assert cut.image.getpixel((190, 20)) == (255, 255, 255)
    assert center_of(cut.image, (0, 0, 255))[0] * 200 == pytest.approx(140.5, abs=1)


def test_the_shipped_pictures_are_aligned_on_their_faces(pictures):
    for picture in sorted((pictures / "landmarks").glob("*.jpg")):
        face = read_face(picture.with_name(picture.name + ".cat").read_bytes())
        cut = cut_square(picture.read_bytes(), face)
        assert cut.reach_px >= 88
        inner = np.asarray(cut.image)[30:60, 20:70].astype(int)
        assert inner.std() > 10, f"{picture.name}: nothing but canvas in the middle of the face"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "not a line of numbers"),
        (b"\xff\xfe", "not a line of numbers"),
        (b"9 1 2 three", "not a line of numbers"),
        (b"9 1 2 3 4", "has 2"),
        (b"3 1 2 3 4 5 6", "declares 3"),
        (b"9 " + b"5 " * 18, "both eyes"),
        (b"9 nan " + b"5 " * 17, "not a number within"),
        (b"9 1e300 " + b"5 " * 17, "not a number within"),
        (b"9 0 0 9 0 5 5 3 3 3 3 3 3 3 3 3 3 3 3", "ears are 0.0"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(raw, told):
    with pytest.raises(Refused, match=told) as refused:
        read_face(raw)
    assert refused.value.reason is Reason.LANDMARKS


@pytest.mark.parametrize(
    ("side", "eyes", "reason", "told"),
    [
        (100, (900, 900), Reason.LANDMARKS, "outside"),
        (100_000, (50, 50), Reason.LANDMARKS, "pixels wide in an image"),
        (31, (100, 100), Reason.TOO_SMALL, "31"),  # the face counts, not the picture
    ],
)
def test_a_face_that_cannot_be_in_its_picture_is_refused(encoded, side, eyes, reason, told):
    """Points that belong to another picture ask for no memory."""
    with pytest.raises(Refused, match=told) as refused:
        cut_square(encoded(Image.new("RGB", (200, 200))), read_face(line(placed(side, 0, eyes))))
    assert refused.value.reason is reason
