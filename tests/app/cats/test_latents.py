"""Tests of app.cats.latents."""

import pytest

from app.cats.latents import PLAIN, Variation
from app.inference.slot import Slot
from models.errors import InvalidValue
from models.inference.latents import MAX_SEED, Interpolated
from tests.app.fake_engine import PaintingEngine, card_for


def slot_of(truncates: bool) -> Slot:
    return Slot("dcgan", "0" * 12, PaintingEngine(1, truncates=truncates), card_for("dcgan"))


def test_a_variation_says_where_each_picture_lies():
    """Neighbors lie a share of the way to each of the others; truncation alone goes nowhere.

    The plain cats are seeds: rendered, batched and addressed as ever.
    """
    assert (PLAIN.points(range(3, 5)), PLAIN.query()) == ([3, 4], {})
    assert Variation(near=7, distance=0.3, truncation=0.5).points([8, 9]) == [
        Interpolated(start=7, end=8, share=0.3, truncation=0.5),
        Interpolated(start=7, end=9, share=0.3, truncation=0.5),
    ]
    assert Variation(truncation=0.7).points([8]) == [Interpolated(start=8, end=8, truncation=0.7)]


@pytest.mark.parametrize(
    ("near", "distance", "truncation", "query"),
    [
        (None, None, 1.0, {}),
        (None, None, 0.70, {"truncation": "0.7"}),
        (7, None, 1.0, {"near": "7", "distance": "0.2"}),
        (0, 0.0, 1.0, {"near": "0", "distance": "0"}),
        (0, -0.0, 1.0, {"near": "0", "distance": "0"}),
        (7, 1.0, 0.125, {"near": "7", "distance": "1", "truncation": "0.125"}),
        (MAX_SEED, 0.001, 0.1, {"near": str(MAX_SEED), "distance": "0.001", "truncation": "0.1"}),
    ],
)
def test_an_address_spells_a_variation_in_one_way(near, distance, truncation, query):
    """Defaults are left out, but a distance is always told beside its seed; order is fixed."""
    spelled = Variation.asked(near, distance, truncation).query()
    assert list(spelled.items()) == list(query.items())
    again = Variation.asked(
        int(spelled["near"]) if "near" in spelled else None,
        float(spelled["distance"]) if "distance" in spelled else None,
        float(spelled.get("truncation", 1.0)),
    )
    assert again.points([1, 2]) == Variation.asked(near, distance, truncation).points([1, 2])


@pytest.mark.parametrize(
    ("near", "distance", "truncation", "field", "said"),
    [
        (-1, 0.2, 1.0, "near", str(MAX_SEED)),
        (MAX_SEED + 1, 0.2, 1.0, "near", str(MAX_SEED)),
        (7, 1.001, 1.0, "distance", "0 to 1"),
        (7, -0.001, 1.0, "distance", "0 to 1"),
        (7, 0.1234, 1.0, "distance", "at most 3 decimals"),
        (7, float("nan"), 1.0, "distance", "0 to 1"),
        (None, 0.2, 1.0, "distance", "only with near"),
        (None, None, 0.099, "truncation", "0.1 to 1"),
        (None, None, 1.001, "truncation", "0.1 to 1"),
        (None, None, 0.7001, "truncation", "at most 3 decimals"),
    ],
)
def test_what_no_address_can_name_is_refused(near, distance, truncation, field, said):
    """The field is named with its range and how exactly it may be told."""
    with pytest.raises(InvalidValue) as caught:
        Variation.asked(near, distance, truncation)
    assert field == caught.value.field
    assert said in caught.value.allowed


def test_a_version_that_cannot_truncate_is_not_asked_to():
    """1 is no truncation and always taken; less is refused with the reason."""
    Variation(truncation=0.5).check(slot_of(truncates=True))
    Variation(near=7).check(slot_of(truncates=False))
    with pytest.raises(InvalidValue) as caught:
        Variation(truncation=0.5).check(slot_of(truncates=False))
    assert (caught.value.field, caught.value.value) == ("truncation", 0.5)
    assert caught.value.allowed == "1: pictures of dcgan do not depend on the latent's length"
