import numpy as np
import pytest

from models.errors import InvalidValue
from models.sampling import MAX_SEED, latents


def test_a_seed_has_one_latent_whatever_it_travels_with() -> None:
    """Neighbors and order in a batch change nothing."""
    alone = latents([7], 100)[0]
    assert np.array_equal(alone, latents([1, 2, 7, MAX_SEED], 100)[2])
    assert np.array_equal(alone, latents([7, 7], 100)[1])


def test_the_scheme_never_changes() -> None:
    """These numbers were drawn once; permalinks rely on them for ever."""
    expected = [2.28444147, -1.54945076, 1.92458534, 0.42421103, -1.43882585, -0.46525654]
    assert latents([0, 42], 3).ravel().tolist() == pytest.approx(expected, abs=1e-6)


def test_latents_are_standard_normal() -> None:
    """Mean, variance and the tails are those of N(0, 1)."""
    values = latents(range(400), 256).ravel()
    assert values.mean() == pytest.approx(0.0, abs=0.01)
    assert values.std() == pytest.approx(1.0, abs=0.01)
    assert (np.abs(values) > 1.96).mean() == pytest.approx(0.05, abs=0.003)
    assert latents([3], 7).shape == (1, 7)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.5, True, "7"])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    """The error names the value and the range."""
    with pytest.raises(InvalidValue, match=str(MAX_SEED)):
        latents([seed], 4)  # type: ignore[list-item]
