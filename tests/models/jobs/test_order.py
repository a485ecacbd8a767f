from dataclasses import replace
from typing import Any

import pytest

from models.errors import DatasetError, InvalidValue, NotFound, RecipeError
from models.jobs.order import make_order
from models.store import Store
from models.store.records import Budget, JobKind, JobStatus, TrainingOrder
from tests.records import card, put_job

CHEAP = {"width": 4, "batch": 8}


def _order(store: Store, **changes: Any) -> TrainingOrder:
    values: dict[str, Any] = {
        "recipe": "dcgan",
        "dataset": store.datasets.get("small"),
        "budget": Budget(minutes=2),
        "size_px": 32,
        "overrides": CHEAP,
    }
    return make_order(store=store, **{**values, **changes})


def test_defaults_are_filled_in(store_with_cats):
    """A size that is not the recipe's own is in the model's name."""
    assert _order(store_with_cats).model == "dcgan-32"
    record = replace(store_with_cats.datasets.get("small"), counts={"64": 100})
    order = _order(store_with_cats, size_px=None, dataset=record)
    assert (order.model, order.size_px) == ("dcgan", 64)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"recipe": "gan"}, NotFound, "dcgan"),
        ({"size_px": 48}, RecipeError, "power of two"),
        ({"size_px": 256}, DatasetError, "0 training images of 256 px"),
        ({"overrides": {"batch": 61}}, DatasetError, "a batch of 61"),
        ({"overrides": {"clip": 0.1}}, RecipeError, "hyperparameters of dcgan: width"),
        (
            {"recipe": "r3gan", "overrides": {"width": 12, "batch": 8}},
            RecipeError,
            "overrides.width is 12. Allowed: a multiple of 8",
        ),
        ({"budget": Budget()}, InvalidValue, "exactly one"),
        ({"budget": Budget(kimg=1, minutes=1)}, InvalidValue, "exactly one"),
        ({"budget": Budget(kimg=0)}, InvalidValue, "more than 0"),
        ({"budget": Budget(minutes=float("nan"))}, InvalidValue, "more than 0"),
        ({"budget": Budget(minutes=1e9)}, InvalidValue, "at most 10080"),
        ({"seed": -1}, InvalidValue, "seed"),
        ({"model": "../x"}, InvalidValue, "model"),
        ({"resume_from": "nobody"}, InvalidValue, "nobody"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(store_with_cats, changes, error, says):
    with pytest.raises(error, match=says):
        _order(store_with_cats, **changes)


def test_all_versions_of_a_model_have_one_size(store_with_cats):
    store_with_cats.versions.publish("m", b"weights", card(), b"png")
    with pytest.raises(InvalidValue, match="another model name"):
        _order(store_with_cats, model="m")


def test_a_job_of_another_shape_cannot_be_gone_on_with(store_with_cats, small_order):
    """Nor one that has not ended."""
    store = store_with_cats
    record, _ = store.jobs.create(JobKind.TRAIN, small_order())
    with pytest.raises(Exception, match="still queued"):
        _order(store, resume_from=record.id)
    put_job(store, replace(record, status=JobStatus.FINISHED))
    with pytest.raises(RecipeError, match="width 8"):
        _order(store, resume_from=record.id, overrides={"width": 8, "batch": 8})
    with pytest.raises(InvalidValue, match="still exists"):
        _order(store, resume_from=record.id)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recipe": "dcgan"}, "one of projected. Use a job of dcgan"),
        ({"source_px": 64}, "one of 64 px. Use a job of at most 32 px"),
        ({"overrides": {"width": 8, "batch": 8}}, "one of width 4. Use a job of width 8"),
        ({"resume_from": "nobody"}, "without resume_from"),
        ({}, r"init_from .* still exists"),  # all fits, but the job may have ended long ago
    ],
)
def test_weights_that_cannot_fit_are_refused_with_why(store_with_cats, small_order, changes, told):
    """Before a job exists: recipe, a larger size, and whatever shapes the networks."""
    store, changes = store_with_cats, dict(changes)
    source = small_order(recipe="projected", size_px=changes.pop("source_px", 32))
    record, _ = store.jobs.create(JobKind.TRAIN, source)
    put_job(store, replace(record, status=JobStatus.FINISHED))
    with pytest.raises(InvalidValue, match=told):
        _order(store, **{"recipe": "projected", "init_from": record.id, **changes})


def test_a_size_that_the_dataset_lacks_is_told_as_it_was_asked(store_with_cats):
    """Not with a size that nobody named: the dataset's name is wrong if the size is the default."""
    with pytest.raises(DatasetError, match="Use a size with enough of them: 32") as caught:
        _order(store_with_cats, size_px=256)
    assert (caught.value.field, caught.value.value) == ("size_px", 256)
