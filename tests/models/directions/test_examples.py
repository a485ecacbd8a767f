"""A direction from ten cats that have something and ten that have it not."""

import numpy as np
import pytest

from models.directions.attributes import measure
from models.directions.examples import from_examples, visible_subspace
from models.directions.fitting import as_tensor
from models.errors import InvalidValue
from models.inference.engine import Engine
from models.inference.latents import latents


def chosen(shipped, name, seeds):
    """The ten cats that have most and least of an attribute, as a user would pick them."""
    values = measure(as_tensor(Engine(shipped).render(seeds)))[name].numpy()
    order = [seeds[index] for index in values.argsort()]
    return order[-10:], order[:10]


@pytest.mark.parametrize("name", ["ginger", "white", "tuxedo"])
def test_twenty_of_two_hundred_cats_are_enough(shipped, shipped_fit, name):
    """The direction points where a fit with 1,500 cats does, which plain means do less well."""
    having, lacking = chosen(shipped, name, range(3000, 3200))
    vector, accuracy = from_examples(having, lacking, shipped_fit)
    known = shipped_fit.offered[name]
    plain = latents(having, 100).mean(0) - latents(lacking, 100).mean(0)
    assert vector @ known > 0.7
    assert vector @ known > plain @ known / np.linalg.norm(plain)
    assert accuracy >= 0.8


def test_random_groups_are_told_apart_by_chance_only(shipped_fit):
    accuracies = [
        from_examples(range(n, n + 10), range(n + 10, n + 20), shipped_fit)[1]
        for n in range(0, 400, 20)
    ]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.15)


def test_the_visible_subspace_is_orthonormal(shipped_fit):
    basis = visible_subspace(shipped_fit)
    assert basis.T @ basis == pytest.approx(np.eye(basis.shape[1]), abs=1e-9)


@pytest.mark.parametrize(
    ("having", "lacking", "field"),
    [
        ([1, 2, 3, 4], range(10, 20), "having"),
        (range(10), [11, 11, 12, 13, 14, 15], "lacking"),
        (range(10), range(9, 19), "lacking"),
        ([-1, 2, 3, 4, 5], range(10, 20), "having"),
    ],
)
def test_examples_that_say_nothing_are_refused(shipped_fit, having, lacking, field):
    with pytest.raises(InvalidValue) as caught:
        from_examples(having, lacking, shipped_fit)
    assert caught.value.field == field
