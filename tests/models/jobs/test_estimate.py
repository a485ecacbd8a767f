"""Tests of models.jobs.estimate and of the route that shows it."""

from dataclasses import replace

import pytest

from models.gan.recipes import resolve
from models.jobs.estimate import estimate, warnings
from models.store.records import Budget, JobKind, JobStatus, Progress
from tests.records import card, dataset_record, put_job, training_order


def ran(store, images_per_s=50.0, other_s=30, attempts=0, old=None, **changes):
    """Write down a training that took a minute, and `other_s` around it."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order(**changes))
    done = replace(
        record,
        order={**record.order, **(old or {})},
        status=JobStatus.FINISHED,
        attempts=attempts,
        started_at="2026-01-01T00:00:00Z",
        ended_at=f"2026-01-01T00:01:{other_s:02d}Z",
        progress=Progress(training_s=60.0, images_per_s=images_per_s),
    )
    return put_job(store, done)


def asked(store, **changes):
    order = training_order(**changes)
    return estimate(store, order, resolve(order.recipe, order.overrides)[1].given())


def test_the_same_order_takes_as_long_as_it_did(store):
    jobs = {ran(store, speed).id for speed in (40.0, 50.0, 90.0)}
    ran(store, 5.0, overrides={"width": 32})
    found = asked(store, budget=Budget(kimg=10))
    assert (found.images_per_s, found.training_s, found.kimg, found.other_s) == (50, 200, 10, 30)
    assert set(found.jobs) == jobs
    assert "same hyperparameters" in found.basis


def test_minutes_are_what_they_are_and_the_images_are_estimated(store):
    ran(store, 50.0)
    found = asked(store, budget=Budget(minutes=2))
    assert (found.training_s, found.kimg) == (120, 6)


@pytest.mark.parametrize(
    ("before", "speed", "words"),
    [
        ({"overrides": {"width": 32}}, 50.0, "other hyperparameters"),
        ({"size_px": 128}, 200.0, "another size"),
    ],
)
def test_less_similar_trainings_are_a_rough_guide_and_named_so(store, before, speed, words):
    ran(store, 50.0, **before)
    found = asked(store)
    assert found.images_per_s == speed
    assert words in found.basis
    assert "rough guide" in found.basis


def test_a_card_from_elsewhere_names_its_machine(store):
    trained = card(kimg=60.0, training_s=600.0, hardware="a fast one")
    store.versions.publish("dcgan", b"weights", trained, b"png")
    found = asked(store)
    assert (found.images_per_s, found.other_s) == (100, None)
    assert "a fast one" in found.basis


def test_what_is_not_known_is_not_made_up(store):
    found = asked(store, budget=Budget(kimg=1))
    assert (found.images_per_s, found.training_s, found.other_s) == (None, None, None)
    assert found.basis.startswith("Unknown")


def test_an_interrupted_job_says_nothing_of_the_time_around_its_training(store):
    ran(store, attempts=1)
    assert asked(store).other_s is None


def warned(counts, heldout=0, **changes):
    order = training_order(**changes)
    data = dataset_record({str(order.size_px): counts}, heldout, name="cats")
    return warnings(order, *resolve(order.recipe, order.overrides), data)


def test_few_images_are_warned_of_with_the_check_that_tells():
    few, unchecked = warned(500, heldout=5)
    assert "500 images of 64 px" in few
    assert "`memorization`" in few
    assert "Only 5 images" in unchecked


def test_a_usual_order_has_no_warnings():
    assert warned(8000, heldout=400, budget=Budget(kimg=100)) == []


def test_an_untuned_size_a_short_budget_and_a_large_batch_are_told():
    told = warned(2000, 100, size_px=256, budget=Budget(kimg=1), overrides={"batch": 1024})
    assert len(told) == 3
    assert "tuned for" in told[0]
    assert "1 kimg" in told[1]
    assert "batch of 1024" in told[2]


@pytest.mark.parametrize("old", [{"recipe": "removed"}, {"overrides": {"removed": 1}}])
def test_a_job_of_an_older_release_breaks_no_estimate(store, old):
    ran(store, 5.0, old=old)
    assert asked(store).images_per_s is None
    ran(store, 50.0)
    assert asked(store).images_per_s == 50
