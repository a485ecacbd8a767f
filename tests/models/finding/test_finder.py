"""Cats of the shipped `dcgan` are found again, and limits hold."""

import time

import numpy as np
import pytest
import torch

from models.errors import InvalidValue
from models.finding.finder import Finder
from models.inference.engine import Engine
from models.inference.latents import latents
from models.latent_space import BoundPoint, LatentSpace, parse
from models.metrics.features import Features


@pytest.fixture(scope="module")
def finder(shipped, shipped_fit):
    return Finder(shipped, shipped_fit, Features(torch.device("cpu")))


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other).mean())


def test_a_cat_of_the_model_is_found_again(shipped, finder):
    """Its picture at its address, and the likeness of that picture."""
    engine = Engine(shipped)
    photo = engine.render([100_001])[0]
    found = finder.find(photo, deadline_s=120)
    assert found.steps == 150
    assert psnr(found.image, photo) > 28
    z, truth = LatentSpace(z_dim=100, directions={}).latent(found.point), latents([100_001], 100)[0]
    assert z @ truth / np.linalg.norm(z) / np.linalg.norm(truth) > 0.6
    assert found.likeness > found.nearest_likeness
    point = BoundPoint(parse(found.point.text), LatentSpace(z_dim=100, directions={}))
    assert np.abs(engine.render([point])[0].astype(int) - found.image).max() <= 1


def test_a_fitted_seed_is_its_own_nearest_and_wholly_alike(shipped, finder):
    found = finder.find(Engine(shipped).render([1234])[0], steps=0)
    assert found.nearest_seed == 1234
    assert found.nearest_likeness > 95


def test_the_deadline_and_a_cancellation_stop_between_steps(shipped, finder):
    photo = Engine(shipped).render([5])[0]
    assert finder.find(photo, deadline_s=0).steps == 0
    asked = iter([False, False, True])
    assert finder.find(photo, deadline_s=120, is_canceled=lambda: next(asked)).steps == 2
    began = time.monotonic()
    finder.find(photo, steps=10**9, deadline_s=0.2)
    assert time.monotonic() - began < 30


def test_a_photo_of_another_size_is_refused(finder):
    with pytest.raises(InvalidValue, match="64, 64, 3"):
        finder.find(np.zeros((32, 32, 3), np.uint8))
