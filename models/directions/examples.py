"""A direction from examples: cats that have something, and cats that have it not.

It is the difference of both groups' means. Linear discriminant analysis would multiply that by
the inverse of the covariance within the groups, which ten latents of a hundred numbers cannot
estimate, but latents are standard normal, so it is known: the identity, and both are the same.
The noise of so few examples is then cut off where it cannot be seen: only the part in the
subspace that changes the pictures most is kept.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.directions.encoder import scaled
from models.directions.fitted import Fitted
from models.errors import InvalidValue
from models.inference.latents import check_seed, latents

FEWEST = 5
MOST = 200
VISIBLE = 24  # dimensions that are kept


def from_examples(
    having: Sequence[int], lacking: Sequence[int], fitted: Fitted
) -> tuple[NDArray[np.float32], float]:
    """Return the unit vector from cats that lack something to cats that have it, (Z,).

    Args:
        having: Seeds of cats that have it; ten are enough.
        lacking: Seeds of cats that have it not.
        fitted: Of the version whose cats they are.

    Returns:
        The vector, and the share of examples that the others' vector tells apart correctly.

    Raises:
        InvalidValue: There are too few or too many examples, or a seed is in both groups.
    """
    _check(having, lacking)
    z_dim = fitted.vectors.shape[1]
    basis = visible_subspace(fitted)
    groups = [latents(list(seeds), z_dim) @ basis for seeds in (having, lacking)]
    vector = basis @ (groups[0].mean(0) - groups[1].mean(0))
    unit = vector / (np.linalg.norm(vector) + 1e-12)
    return unit.astype(np.float32), _accuracy(*groups)


def visible_subspace(fitted: Fitted) -> NDArray[np.float64]:
    """Return the directions along which thumbnails change most, (Z, K) orthonormal columns."""
    z_dim = fitted.vectors.shape[1]
    z = latents(range(len(fitted.thumbnails)), z_dim).astype(np.float64)
    thumbs = scaled(fitted.thumbnails)
    slopes, *_ = np.linalg.lstsq(z, thumbs - thumbs.mean(0), rcond=None)
    _, vectors = np.linalg.eigh(slopes @ slopes.T)
    return vectors[:, ::-1][:, : min(VISIBLE, z_dim)].copy()


def _accuracy(having: NDArray[np.float64], lacking: NDArray[np.float64]) -> float:
    """Return the share of examples that are on the right side, each left out once."""
    right = 0
    for index in range(len(having)):
        right += _margin(having[index], np.delete(having, index, 0), lacking) > 0
    for index in range(len(lacking)):
        right += _margin(lacking[index], having, np.delete(lacking, index, 0)) < 0
    return right / (len(having) + len(lacking))


def _margin(
    one: NDArray[np.float64], having: NDArray[np.float64], lacking: NDArray[np.float64]
) -> float:
    means = having.mean(0), lacking.mean(0)
    return float((one - (means[0] + means[1]) / 2) @ (means[0] - means[1]))


def _check(having: Sequence[int], lacking: Sequence[int]) -> None:
    for name, seeds in (("having", having), ("lacking", lacking)):
        if not FEWEST <= len(set(seeds)) <= MOST or len(set(seeds)) != len(seeds):
            allowed = f"{FEWEST} to {MOST} different seeds"
            raise InvalidValue(name, len(seeds), allowed)
        for seed in seeds:
            check_seed(seed, name)
    if both := set(having) & set(lacking):
        raise InvalidValue("lacking", min(both), "seeds that are not in having, too")
