"""The second picture of a kind is refused, and the one kept is named."""

import numpy as np
import pytest
from PIL import Image

from models.datasets.duplicates import NEAR_BITS, Seen, difference_hash
from models.datasets.rejections import Refused


def test_the_hash_is_one_bit_a_cell():
    ramp = np.tile(np.linspace(255, 0, 72).astype(np.uint8), (64, 1))
    assert difference_hash(Image.fromarray(ramp)) == 2**64 - 1
    assert difference_hash(Image.fromarray(ramp[:, ::-1].copy())) == 0


def test_a_resaved_and_resized_picture_is_close(pictures, encoded):
    """Saving again and resizing moves at most three bits of a real picture."""
    for path in sorted((pictures / "cats").glob("*.jpg"))[:20]:
        with Image.open(path) as image:
            small = image.resize((48, 48), Image.Resampling.LANCZOS)
            assert (difference_hash(image) ^ difference_hash(small)).bit_count() <= NEAR_BITS


def test_looks_that_differ_in_three_bits_are_refused_and_in_four_not():
    seen = Seen()
    seen.remember("first.jpg", b"1", 2**64 - 1)
    for bits in (0, 1, NEAR_BITS):
        with pytest.raises(Refused, match=r"first\.jpg"):
            seen.check(b"2", (2**64 - 1) ^ (2**bits - 1))
    other = (2**64 - 1) ^ 0b1111
    seen.check(b"2", other)
    seen.remember("second.jpg", b"2", other)
    with pytest.raises(Refused, match=r"second\.jpg \(0 of 64"):
        seen.check(b"3", other)


def test_the_same_content_is_refused():
    seen = Seen()
    seen.remember("first.jpg", b"1", 0)
    with pytest.raises(Refused, match=r"the same file as first\.jpg"):
        seen.check(b"1", 2**64 - 1)


def test_thousands_are_remembered():
    seen = Seen()
    looks = np.random.default_rng(0).integers(0, 2**64, 5000, dtype=np.uint64)
    for number, look in enumerate(looks):
        seen.remember(f"{number}.jpg", str(number).encode(), int(look))
    with pytest.raises(Refused, match=r"4321\.jpg"):
        seen.check(b"new", int(looks[4321]) ^ 1)
