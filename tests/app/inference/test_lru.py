"""Tests of app.inference.lru."""

from dataclasses import replace

import pytest

from app.inference.lru import Residents
from app.inference.slot import Slot
from tests.app.fake_engine import PaintingEngine, card_for

SIZE = 100


def slot_of(name: str, nbytes: int = SIZE) -> Slot:
    model, _, version = name.partition("@")
    card = replace(card_for(model), version=version)
    return Slot(model, version, PaintingEngine(1, nbytes=nbytes), card)


def full_of(*names: str, keep: int = 9, places: int = 3) -> Residents:
    """Return residents with a budget of some slots' size: models in service by their names."""
    residents = Residents(keep, places * SIZE)
    for name in names:
        assert residents.serve(slot_of(name)) == []
    return residents


def names_of(slots: list[Slot]) -> list[str]:
    return [slot.name for slot in slots]


def test_the_least_used_in_service_leaves_and_rests():
    """What was used longest ago makes room; its card stays, until it is in service again."""
    residents = full_of("a@1", "b@1", "c@1")
    residents.use("a")
    assert names_of(residents.serve(slot_of("d@1"))) == ["b@1"]
    assert set(residents.serving()) == {"a", "c", "d"}
    assert residents.resting["b"].version == "1"
    assert residents.find("b") is None
    residents.serve(slot_of("b@1"))
    assert set(residents.resting) == {"c"}


def test_neither_a_look_nor_a_swap_is_a_use():
    """A model that nobody asks for leaves first, though it was looked at and has a new version."""
    residents = full_of("a@1", "b@1", "c@1")
    residents.find("a")
    residents.serve(slot_of("a@2"))
    assert names_of(residents.serve(slot_of("d@1"))) == ["a@2"]


def test_warm_ones_leave_before_those_in_service():
    """However lately it was used; of those not in service the way back leaves last."""
    residents = full_of("a@1", "b@1", places=4)
    residents.serve(slot_of("a@2"))  # a@1 is the way back now
    residents.keep(slot_of("b@0"))
    residents.use("b", "0")
    residents.use("a", "1")
    residents.use("a")
    assert names_of(residents.serve(slot_of("c@1"))) == ["b@0"]
    assert names_of(residents.serve(slot_of("d@1"))) == ["a@1"]
    assert names_of(residents.serve(slot_of("e@1"))) == ["b@1"]


def test_a_swap_among_many_drives_out_its_own_old_version_first():
    """A new version in a full house takes the place of the old one, and nobody else's."""
    residents = full_of("a@1", "b@1", "c@1")
    assert names_of(residents.serve(slot_of("c@2"))) == ["c@1"]
    assert set(residents.serving()) == {"a", "b", "c"}


def test_a_version_asked_for_spares_its_model_for_as_long_as_it_can():
    """Others leave before the model whose old version somebody wants to see."""
    residents = full_of("a@1", "b@1", places=2)
    residents.use("b")
    assert names_of(residents.keep(slot_of("a@0"))) == ["b@1"]
    assert names_of(residents.keep(slot_of("a@9", 2 * SIZE))) == ["a@0", "a@1"]


def test_one_too_large_for_the_budget_stays_alone():
    """It is no reason to refuse a model: whatever else is there leaves."""
    residents = full_of("a@1", "b@1", "c@1")
    left = residents.serve(slot_of("d@1", 9 * SIZE))
    assert names_of(left) == ["a@1", "b@1", "c@1"]
    assert names_of(residents.all()) == ["d@1"]
    assert residents.nbytes == 9 * SIZE
    assert not residents.has_room()


def test_without_a_budget_nobody_in_service_leaves():
    """Only the number of warm ones is bounded then."""
    residents = Residents(keep=1)
    for name in ("a@1", "b@1", "c@1"):
        assert residents.serve(slot_of(name, 1 << 40)) == []
    assert residents.keep(slot_of("a@0")) == []
    assert names_of(residents.keep(slot_of("b@0"))) == ["a@0"]
    assert residents.has_room()


@pytest.mark.parametrize(("places", "expected"), [(2, False), (3, True)])
def test_there_is_room_where_one_more_of_the_largest_fits(places, expected):
    """So what is loaded before anybody asks drives out nothing of its kind."""
    assert full_of("a@1", "b@1", places=places).has_room() == expected


def test_a_slot_is_found_by_model_or_by_full_version():
    """In service or warm; an empty version is none, and so is one let go."""
    residents = full_of("a@1")
    residents.serve(slot_of("a@2"))
    found = [residents.use("a", version) for version in (None, "2", "1", "", "3")]
    assert [slot and slot.version for slot in found] == ["2", "2", "1", None, None]
    residents.drop("a@1")
    residents.drop("a@2")  # in service: it stays
    assert names_of(residents.all()) == ["a@2"]
