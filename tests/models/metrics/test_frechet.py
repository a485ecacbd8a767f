import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import StoreError
from models.metrics.features import DIM, Features
from models.metrics.frechet import Reference, frechet_distance, reference_of


def test_the_distance_of_two_gaussians_is_the_closed_form() -> None:
    """Diagonal covariances: squared shift plus squared difference of the deviations."""
    random = np.random.default_rng(0)
    base = random.standard_normal((4000, 3))
    base = (base - base.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(base.T))).T
    real = (base * [1.0, 2.0, 3.0]).astype(np.float32)
    fake = (base * [2.0, 2.0, 1.0] + [1.0, 0.0, -2.0]).astype(np.float32)
    expected = (1 + 0 + 4) + (1 + 0 + 4)
    assert frechet_distance(reference_of(real), fake) == pytest.approx(expected, rel=1e-3)


def test_it_agrees_with_the_general_formula_for_few_samples() -> None:
    """Trace of the root of the product, by eigenvalues, with fewer fakes than dimensions."""
    random = np.random.default_rng(1)
    real = (random.standard_normal((200, 20)) @ random.standard_normal((20, 20))).astype("f4")
    fake = (random.standard_normal((12, 20)) + 0.5).astype("f4")
    c_real, c_fake = np.cov(real.astype("f8").T), np.cov(fake.astype("f8").T)
    roots = np.sqrt(np.linalg.eigvals(c_real @ c_fake).real.clip(0)).sum()
    shift = np.square(real.astype("f8").mean(0) - fake.astype("f8").mean(0)).sum()
    expected = shift + np.trace(c_real) + np.trace(c_fake) - 2 * roots
    assert frechet_distance(reference_of(real), fake) == pytest.approx(expected, rel=1e-6)


def test_a_set_is_at_no_distance_from_itself() -> None:
    """Up to rounding."""
    rows = np.random.default_rng(2).standard_normal((50, 8)).astype("f4")
    assert frechet_distance(reference_of(rows), rows) == pytest.approx(0, abs=1e-6)


def test_reference_statistics_come_back_from_their_file() -> None:
    """And a damaged file is told as such."""
    rows = np.random.default_rng(3).standard_normal((10, 4)).astype("f4")
    reference = reference_of(rows)
    again = Reference.from_bytes(reference.to_bytes())
    assert again.count == 10
    assert np.array_equal(again.root, reference.root)
    with pytest.raises(StoreError, match="damaged"):
        Reference.from_bytes(reference.to_bytes()[:100])


def test_features_tell_cats_from_noise(small_pictures: NDArray[np.uint8]) -> None:
    """Two halves of real cats are nearer to each other than to noise, more than twice."""
    features = Features(torch.device("cpu"))
    cats = features(small_pictures)
    assert cats.shape == (64, DIM)
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3)).astype(np.uint8)
    reference = reference_of(cats[:32])
    to_cats = frechet_distance(reference, cats[32:])
    assert frechet_distance(reference, features(noise)) > 2 * to_cats


def test_features_do_not_depend_on_the_batch(small_pictures: NDArray[np.uint8]) -> None:
    """The progress callback hears of every batch; rows are the same alone."""
    features, heard = Features(torch.device("cpu")), []
    rows = features(small_pictures[:40], heard.append)
    assert heard == [32, 40]
    assert np.allclose(rows[:1], features(small_pictures[:1]), rtol=0.02, atol=0.02)
