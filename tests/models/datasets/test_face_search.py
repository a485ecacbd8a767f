"""Cats are found in photographs and framed as the aligned pictures are."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from models.datasets.decoding import cut_faces
from models.datasets.face_search import BOX_CENTER, BOX_SIDE, FaceSearch, face_of
from models.datasets.landmarks import EYES_AT
from models.datasets.rejections import Reason, Refused
from models.images.cat_faces import Box

# Cats of the sample that the cascade finds; about one in eight is not found.
FRONTAL = ("00085.jpg", "00169.jpg", "00210.jpg")


@pytest.fixture(scope="module")
def search():
    return FaceSearch()


@pytest.fixture
def photograph(pictures):
    """Return a maker of photographs from (name, left, top, side), and of a scale for all."""

    def make(*cats, size=(640, 480), scale=1):
        image = Image.new("RGB", size, (70, 100, 60))
        for name, left, top, side in cats:
            with Image.open(pictures / "cats" / name) as cat:
                image.paste(cat.resize((side, side), Image.Resampling.BICUBIC), (left, top))
        return image.resize((size[0] * scale, size[1] * scale), Image.Resampling.BICUBIC)

    return make


@pytest.mark.parametrize("scale", [1, 3])
def test_every_cat_is_found_and_framed(search, photograph, scale):
    """From left to right, within a tenth of the width, however large the photograph is."""
    cats = [(FRONTAL[0], 20, 40, 128), (FRONTAL[1], 300, 200, 200)]
    faces = search(photograph(*cats, scale=scale))
    assert len(faces) == 2
    for face, (_, left, top, side) in zip(faces, cats, strict=True):
        assert face.angle == 0
        assert face.side / scale == pytest.approx(side, rel=0.2)
        assert face.x / scale == pytest.approx(left + EYES_AT[0] * side, abs=side / 10)
        assert face.y / scale == pytest.approx(top + EYES_AT[1] * side, abs=side / 10)


def test_a_box_as_the_median_gives_the_crop_itself():
    center = Box(
        100 + 200 * (BOX_CENTER[0] - BOX_SIDE / 2), 200 * (BOX_CENTER[1] - BOX_SIDE / 2), 0
    )
    face = face_of(center._replace(side=200 * BOX_SIDE))
    assert (face.x, face.y, face.side) == pytest.approx((200, 80, 200))


def test_a_photograph_without_a_cat_has_no_face(search, encoded, noise):
    for image in (noise(1, (640, 480)), Image.new("RGB", (640, 480), "green")):
        with pytest.raises(Refused, match="no cat's face") as refused:
            cut_faces(encoded(image), search)
        assert refused.value.reason is Reason.NO_FACE


def test_the_crop_of_a_large_photograph_has_its_detail(search, encoded, photograph):
    """It is searched small and cut from the original."""
    photo = photograph((FRONTAL[0], 100, 80, 256), scale=3)
    (cut,) = cut_faces(encoded(photo, "JPEG", quality=90), search)
    assert cut.reach_px == pytest.approx(768, rel=0.2)
    assert cut.image.width == cut.reach_px


def test_a_tiny_face_is_too_small(encoded, photograph, search):
    photo = photograph((FRONTAL[0], 100, 80, 30), size=(160, 120))
    face = face_of(Box(100, 80, 29))
    with pytest.raises(Refused, match="29 pixels wide") as refused:
        cut_faces(encoded(photo), lambda _image: [face])
    assert refused.value.reason is Reason.TOO_SMALL


def test_threads_share_a_search(search, photograph):
    photos = [photograph((FRONTAL[0], 20 + 3 * shift, 40, 128)) for shift in range(8)]
    alone = [search(photo) for photo in photos]
    barrier = threading.Barrier(4)

    def find(photo):
        barrier.wait(60)
        return search(photo)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(find, photos)) == alone
    assert all(np.isfinite(face.side) for faces in alone for face in faces)
