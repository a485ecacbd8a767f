import numpy as np
import pytest
from PIL import Image

from models.metrics.faces import FaceCounter


@pytest.fixture
def counter():
    """Return a counter; the development dependencies bring OpenCV."""
    return FaceCounter()


@pytest.fixture
def cats(pictures):
    files = sorted((pictures / "cats").glob("*.jpg"))
    return [np.asarray(Image.open(f).convert("RGB").resize((64, 64))) for f in files]


def test_most_real_cats_have_one_face(counter, cats):
    """The cascade finds frontal faces; some cats look away."""
    assert counter.single_share(cats) > 0.75


def test_noise_and_halves_of_faces_have_none(counter, cats):
    """What has fur and eyes in wrong places is no face."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    assert counter.single_share(noise) == 0
    swapped = [np.concatenate([cat[32:], cat[:32]]) for cat in cats]
    assert counter.single_share(swapped) < 0.2


def test_four_cats_in_a_picture_are_not_one(counter, cats):
    """Five-eyed monsters are the reason: more than one face does not count."""
    rows = [np.concatenate(cats[i : i + 2], 1) for i in (0, 2)]
    assert counter.count(np.concatenate(rows)) != 1
