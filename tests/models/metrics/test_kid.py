import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import InvalidValue
from models.metrics.kid import Projections, difference, kernel_means, project

REPEATS = 1000
COUNT = 100


def _rows(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _project(real: Tensor, fake: Tensor) -> Projections:
    return project(real, kernel_means(real), fake)


def test_the_estimate_is_the_hand_computed_one():
    """Two reals and two fakes of two dimensions: kernels (x.y / 2 + 1)^3.

    Reals (2, 0), (0, 2): k = 1. Fakes (2, 2), (0, 0): k = 1. Across, (2, 2) has 27
    with both reals and (0, 0) has 1. KID = 1 + 1 - 2 * (27 + 27 + 1 + 1) / 4 = -26.
    Variance of the reals' shares 0, of the fakes' (-26, 0) 338: 4 * 338 / 2 = 26^2.
    """
    found = _project(_rows([2, 0], [0, 2]), _rows([2, 2], [0, 0]))
    assert found.real.tolist() == [1 - 14, 1 - 14]
    assert found.fake.tolist() == [1 - 27, 1 - 1]
    assert found.value == pytest.approx(-26, abs=1e-12)
    assert found.interval == pytest.approx((-26 - 1.959964 * 26, -26 + 1.959964 * 26), abs=1e-9)
    assert difference(found, found).interval == (0.0, 0.0)  # equal is not better


def test_blocks_change_nothing(monkeypatch):
    """Blocks of three rows give what all at once give, and that is the plain double sum."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(11, 4, generator=generator, dtype=torch.float64)
    fake = torch.randn(7, 4, generator=generator, dtype=torch.float64)
    whole = _project(real, fake)
    monkeypatch.setattr("models.metrics.blocks.BLOCK", 3)
    parts = _project(real, fake)
    torch.testing.assert_close(parts.real, whole.real)
    torch.testing.assert_close(parts.fake, whole.fake)

    def kernel(a, b):
        return (a @ b.T / 4 + 1) ** 3

    within = [
        (kernel(r, r).sum() - kernel(r, r).trace()) / len(r) / (len(r) - 1) for r in (real, fake)
    ]
    expected = float(sum(within) - 2 * kernel(real, fake).mean())
    assert whole.value == pytest.approx(expected, rel=1e-9)


def _moment(low: float, order: int) -> float:
    """Return a moment of the uniform distribution from `low` to `low + 1`."""
    return ((low + 1) ** (order + 1) - low ** (order + 1)) / (order + 1)


def _true_kid(real_low: float, fake_low: float) -> float:
    """One dimension: (x y + 1)^3 compares the first three moments, weighted 3, 3, 1."""
    weights = {1: 3, 2: 3, 3: 1}
    return sum(w * (_moment(real_low, i) - _moment(fake_low, i)) ** 2 for i, w in weights.items())


def _uniform(random: np.random.Generator, low: float) -> Tensor:
    return torch.from_numpy(random.uniform(low, low + 1, (COUNT, 1)))


def test_the_interval_holds_the_truth_95_times_in_100():
    """A thousand drawn pairs of sets whose distance is known in closed form."""
    random = np.random.default_rng(0)
    truth, hits, values = _true_kid(0.0, 0.6), 0, []
    for _ in range(REPEATS):
        found = _project(_uniform(random, 0.0), _uniform(random, 0.6))
        low, high = found.interval
        hits += low <= truth <= high
        values.append(found.value)
    assert 0.93 <= hits / REPEATS <= 0.97
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / REPEATS**0.5)


def test_where_nothing_differs_the_interval_errs_on_the_wide_side():
    """The first order vanishes there; among many directions zero is held more often than not."""
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(REPEATS // 2):
        real, fake = (torch.from_numpy(random.standard_normal((COUNT, 64))) for _ in range(2))
        low, high = _project(real, fake).interval
        hits += low <= 0 <= high
    assert 0.95 <= hits / (REPEATS // 2) <= 1.0


def test_the_interval_of_a_difference_holds_the_truth_and_is_narrower():
    """Two generators fed with the same seeds: what they share cancels."""
    random = np.random.default_rng(2)
    truth, hits, widths, apart = _true_kid(0.0, 0.3) - _true_kid(0.0, 0.4), 0, [], []
    for _ in range(REPEATS):
        real, seeds = _uniform(random, 0.0), _uniform(random, 0.0)
        noise = torch.from_numpy(random.uniform(0, 1, (COUNT, 1)))
        is_same = torch.from_numpy(random.uniform(size=(COUNT, 1)) < 0.8)
        new = _project(real, seeds + 0.3)
        old = _project(real, torch.where(is_same, seeds, noise) + 0.4)
        low, high = difference(new, old).interval
        hits += low <= truth <= high
        widths.append(high - low)
        apart.append(np.hypot(*(np.diff(p.interval)[0] for p in (new, old))))
    assert 0.93 <= hits / REPEATS <= 0.97
    assert np.mean(widths) < 0.6 * np.mean(apart)


def test_other_numbers_of_pictures_cannot_be_paired():
    real = _rows([2, 0], [0, 2])
    few, more = _project(real, _rows([2, 2], [0, 0])), _project(real, _rows([2, 2], [0, 0], [1, 1]))
    with pytest.raises(InvalidValue, match=r"\(2, 3\).*\(2, 2\)"):
        difference(more, few)
