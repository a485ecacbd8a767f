import pytest
import torch

from models.metrics.frechet import frechet_distance, gaussian_of


def _normals(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_the_distance_of_two_gaussians_is_the_closed_form():
    """Diagonal covariances: squared shift plus squared difference of the deviations."""
    base = _normals(0, 4000, 3)
    base = base - base.mean(0)
    base = base @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(base.T))).T
    real = base * torch.tensor([1.0, 2.0, 3.0])
    fake = base * torch.tensor([2.0, 2.0, 1.0]) + torch.tensor([1.0, 0.0, -2.0])
    expected = (1 + 0 + 4) + (1 + 0 + 4)
    assert frechet_distance(gaussian_of(real), fake) == pytest.approx(expected, rel=1e-3)


def test_it_agrees_with_the_general_formula_for_few_samples():
    """Trace of the root of the product, by eigenvalues, with fewer fakes than dimensions."""
    real = _normals(1, 200, 20) @ _normals(2, 20, 20)
    fake = _normals(3, 12, 20) + 0.5
    c_real, c_fake = torch.cov(real.T), torch.cov(fake.T)
    roots = torch.linalg.eigvals(c_real @ c_fake).real.clamp(min=0).sqrt().sum()
    shift = (real.mean(0) - fake.mean(0)).square().sum()
    expected = shift + c_real.trace() + c_fake.trace() - 2 * roots
    assert frechet_distance(gaussian_of(real), fake) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("count", [50, 5])
def test_a_set_is_at_no_distance_from_itself(count):
    """Up to rounding, with more and with fewer pictures than dimensions."""
    rows = _normals(4, count, 8)
    assert frechet_distance(gaussian_of(rows), rows) == pytest.approx(0, abs=1e-6)
