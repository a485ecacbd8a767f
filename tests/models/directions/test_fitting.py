"""Directions of the shipped `dcgan` predict and change what they are named for."""

import numpy as np
import pytest
import torch

from models.directions.attributes import ATTRIBUTES, measure
from models.directions.fitted import LEAST_R2
from models.directions.fitting import SEEDS, as_tensor, fit, regression
from models.inference.engine import Engine
from models.inference.latents import latents
from models.latent_space import BoundPoint, LatentSpace, parse


def test_every_attribute_of_the_shipped_model_is_predicted_well_enough(shipped_fit):
    rows = {row.name: row for row in shipped_fit.directions if row.kind == "attribute"}
    assert rows.keys() == ATTRIBUTES.keys()
    assert rows["white"].r2 > 0.8
    assert min(row.r2 for row in rows.values()) > LEAST_R2
    assert min(row.effect for row in rows.values()) > 3


def test_vectors_have_unit_length(shipped_fit):
    assert np.linalg.norm(shipped_fit.vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["white", "ginger", "tuxedo", "turned"])
def test_a_move_along_a_direction_changes_cats_that_it_was_not_fitted_on(
    shipped, shipped_fit, name
):
    """Every single one of sixteen, in the direction of the sign."""
    engine = Engine(shipped)
    space = LatentSpace(z_dim=engine.z_dim, directions=shipped_fit.offered)

    def values(by):
        points = [parse(f"{seed}_{name}{by}") for seed in range(5000, 5016)]
        return measure(as_tensor(engine.render([BoundPoint(p, space) for p in points])))[name]

    less, same, more = values("-2.0"), values("0.0"), values("2.0")
    assert (less < same).all()
    assert (same < more).all()


def test_regression_finds_a_linear_attribute_and_not_a_random_one():
    z = latents(range(400), 10)
    truth = np.arange(10) / np.linalg.norm(np.arange(10))
    vector, r2 = regression(z, 3 + 2 * (z.astype(np.float64) @ truth))
    assert vector.tolist() == pytest.approx(truth, abs=0.02)
    assert r2 > 0.98
    assert regression(z, np.random.default_rng(0).normal(size=400))[1] < 0.1


def test_regression_of_a_constant_is_finite():
    """An untrained generator may paint one gray."""
    vector, r2 = regression(latents(range(40), 10), np.zeros(40))
    assert torch.isfinite(vector).all()
    assert np.isfinite(r2)


def test_whoever_watches_a_fit_can_stop_it(shipped):
    done = []

    def stop(count):
        done.append(count)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(shipped, on_progress=stop)
    assert len(done) == 1
    assert 0 < done[0] < SEEDS
