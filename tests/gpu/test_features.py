import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.metrics.features import FEATURES, Features

BUNDLED = [name for name, row in FEATURES.items() if not row.needs_weights]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_gpu_sees_in_pictures_what_a_cpu_sees(name: str, noise: NDArray[np.uint8]) -> None:
    """Features agree to a thousandth of their spread, so figures can be compared."""
    pictures, settings = noise[:32], torch.backends.cudnn.conv  # type: ignore[attr-defined]
    precision = settings.fp32_precision
    here = Features(torch.device("cpu"), name)(pictures)
    there = Features(torch.device("cuda"), name)(pictures)
    assert settings.fp32_precision == precision, "TF32 is off for the features alone"
    assert there.shape == here.shape
    assert np.abs(there - here).max() < 1e-3 * here.std()


def test_features_are_the_same_whatever_shares_their_batch(noise: NDArray[np.uint8]) -> None:
    """A picture's features do not depend on its neighbors', up to rounding."""
    features = Features(torch.device("cuda"))
    alone, together = features(noise[:1]), features(noise[:200])
    assert np.abs(together[:1] - alone).max() < 1e-3 * together.std()
