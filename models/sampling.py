"""From a seed to a latent: one seed is one cat, whatever it travels with.

The scheme is counter-based: every seed keys its own Philox stream, so a latent
depends on its seed alone, never on its neighbors in a batch, on a device or on
the order of requests. Normals come from the raw 64-bit words by Box and
Muller's transform in float64, because NumPy promises stable raw words but not
stable normal variates from release to release.

Sources: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
(Philox); Box and Muller 1958.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidValue

LATENT_SCHEME = "philox4x64-boxmuller-1"
"""Name of this scheme; a weights file carries the name of the one it was made for."""

MAX_SEED = 2**53 - 1
"""Largest seed: the largest integer that every JSON reader keeps exact."""


def check_seed(seed: int, field: str = "seed") -> int:
    """Return the seed if it is one.

    Raises:
        InvalidValue: It is not an integer from 0 to `MAX_SEED`.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise InvalidValue(field, seed, f"an integer from 0 to {MAX_SEED}")
    return seed


def latents(seeds: Sequence[int], z_dim: int) -> NDArray[np.float32]:
    """Return one standard normal latent per seed.

    Args:
        seeds: N seeds, each from 0 to `MAX_SEED`.
        z_dim: Z, the latent's length.

    Returns:
        (N, Z) float32.

    Raises:
        InvalidValue: A seed is out of range.
    """
    rows = [_normals(check_seed(seed), z_dim) for seed in seeds]
    return np.stack(rows) if rows else np.empty((0, z_dim), np.float32)


def _normals(seed: int, count: int) -> NDArray[np.float32]:
    pairs = (count + 1) // 2
    words = np.random.Philox(key=seed).random_raw(2 * pairs)
    # 53 bits and half a step: strictly between 0 and 1, so the logarithm is finite.
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:pairs]))
    angle = 2.0 * np.pi * uniform[pairs:]
    normals = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return normals[:count].astype(np.float32)
