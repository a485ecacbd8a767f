"""Pictures saved twice are alike; pictures of other colors are not."""

import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from models.datasets.duplicates import NEAR_BITS, Seen, look_of


def look(image):
    return look_of(np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.LANCZOS)))


def drawing(seed):
    """Return a figure that is always the same but for its colors."""
    random = np.random.default_rng(seed)
    pixels = np.full((96, 96, 3), 255, np.uint8)
    body, eye, mouth = random.integers(0, 200, 3), *random.integers(0, 256, (2, 3))
    for top, bottom, left, right, color in [
        (30, 70, 28, 68, body), (22, 30, 28, 36, body), (22, 30, 60, 68, body),
        (40, 46, 36, 42, eye), (40, 46, 54, 60, eye), (54, 58, 44, 52, mouth),
    ]:  # fmt: skip
        pixels[top:bottom, left:right] = color
    return Image.fromarray(pixels)


@pytest.fixture
def seen_cats(pictures):
    """Return twenty photographs and what remembers them."""
    cats = [Image.open(path) for path in sorted((pictures / "cats").glob("*.jpg"))[:20]]
    seen = Seen()
    assert [seen.add(look(cat)) for cat in cats] == list(range(20))
    return cats, seen


def test_the_hash_is_one_bit_a_cell():
    ramp = np.repeat(np.linspace(255, 0, 32).astype(np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    assert look_of(ramp).hash == 2**64 - 1
    assert look_of(np.ascontiguousarray(ramp[:, ::-1])).hash == 0


@pytest.mark.parametrize("quality", [30, 60, 90])
@pytest.mark.parametrize("size_px", [48, 64, 200])
def test_a_photograph_saved_again_is_found(seen_cats, size_px, quality):
    cats, seen = seen_cats
    for number, cat in enumerate(cats):
        saved = io.BytesIO()
        cat.resize((size_px, size_px), Image.Resampling.BICUBIC).save(
            saved, "JPEG", quality=quality
        )
        assert seen.like(look(Image.open(saved))) == [number]


def test_a_photograph_in_other_colors_is_another(seen_cats):
    cats, seen = seen_cats
    channels = [cat.convert("RGB").split() for cat in cats]
    colored = [bands for bands in channels if np.ptp([np.mean(band) for band in bands]) > 10]
    assert len(colored) > 10
    for red, green, blue in colored:
        assert seen.like(look(Image.merge("RGB", (blue, green, red)))) == []


def test_drawings_that_differ_in_colors_alone_are_different():
    """A gray hash of 64 bits called 58 of 60 duplicates."""
    looks = [look(drawing(1000 + number)) for number in range(60)]
    hashes = [(one.hash ^ other.hash).bit_count() for one, other in combinations(looks, 2)]
    assert np.mean(np.array(hashes) <= NEAR_BITS) > 0.2, "the hash alone cannot tell"
    seen = Seen()
    for number, one in enumerate(looks):
        assert seen.like(one) == []
        assert seen.add(one) == number


def test_what_is_forgotten_is_not_found(seen_cats):
    cats, seen = seen_cats
    seen.forget(7)
    assert seen.like(look(cats[7])) == []
    assert seen.like(look(cats[8])) == [8]


def test_thousands_are_remembered():
    seen, random = Seen(), np.random.default_rng(0)
    looks = [look_of(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(2500)]
    for one in looks:
        seen.add(one)
    assert [seen.like(looks[number]) for number in (0, 1023, 1024, 2499)] == [
        [0],
        [1023],
        [1024],
        [2499],
    ]
