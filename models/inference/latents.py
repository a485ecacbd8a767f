"""From a seed to a latent, which depends on its seed alone.

The scheme is counter-based: every seed keys its own Philox stream, independent of batch, device
and order of requests. Normals come from the raw 64-bit words by the Box-Muller transform in
float64, because NumPy promises stable raw words but not stable normal variates across releases.

Points between two seeds lie on the great circle through both: nearly all of a Gaussian's mass
in many dimensions has nearly the same length, and a straight line would leave it.

Sources: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
(Philox); Box and Muller 1958; White 2016, arXiv:1609.04468, section 2.1
(spherical interpolation).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidValue

# Recorded in every weights file: another scheme would give a version's seeds other images.
LATENT_SCHEME = "philox4x64-boxmuller-1"

MAX_SEED = 2**53 - 1  # the largest integer that every JSON parser keeps exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpolated:
    """A point of latent space that is no seed itself.

    Attributes:
        start: A seed.
        end: Another seed, or the same.
        share: Position between `start` and `end` along the great circle, 0 to 1; at 0 and 1
            it is exactly that seed's latent.
        truncation: Factor of the latent, 0 to 1.
    """

    start: int
    end: int
    share: float = 0.0
    truncation: float = 1.0


@runtime_checkable
class Resolvable(Protocol):
    """A point that knows its latent, such as those of `models.latent_space`."""

    def latent(self, z_dim: int) -> NDArray[np.float32]:
        """Return its latent, (Z,) float32."""


Point = int | Interpolated | Resolvable  # what an image is generated from


def walk(start: int, end: int, frames: int, *, truncation: float = 1.0) -> list[Interpolated]:
    """Return points at equal steps from one seed to another, both included.

    Raises:
        InvalidValue: There are fewer than two frames.
    """
    if frames < 2:
        raise InvalidValue("frames", frames, "at least 2")
    shares = (frame / (frames - 1) for frame in range(frames))
    return [
        Interpolated(start=start, end=end, share=share, truncation=truncation) for share in shares
    ]


def check_seed(seed: int, field: str = "seed") -> int:
    """Return the seed if it is one.

    Raises:
        InvalidValue: It is not an integer from 0 to `MAX_SEED`.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise InvalidValue(field, seed, f"an integer from 0 to {MAX_SEED}")
    return seed


def latents(points: Sequence[Point], z_dim: int) -> NDArray[np.float32]:
    """Return one latent per point, (N, Z) float32; a seed's is standard normal.

    Raises:
        InvalidValue: A seed, share or truncation is out of range.
    """
    rows = [_latent(point, z_dim) for point in points]
    return np.stack(rows) if rows else np.empty((0, z_dim), np.float32)


def _latent(point: Point, z_dim: int) -> NDArray[np.float32]:
    if isinstance(point, Resolvable):
        return point.latent(z_dim)
    if not isinstance(point, Interpolated):
        return normals(check_seed(point), z_dim)
    for name in ("share", "truncation"):
        if not 0 <= getattr(point, name) <= 1:
            raise InvalidValue(name, getattr(point, name), "0 to 1")
    z = normals(check_seed(point.start), z_dim)
    if point.share:
        z = between(z, normals(check_seed(point.end), z_dim), point.share)
    return z if point.truncation == 1 else (z * point.truncation).astype(np.float32)


def between(
    start: NDArray[np.float32], end: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return a point on the great circle between two latents; the length changes linearly.

    Args:
        start: (Z,) float32.
        end: (Z,) float32.
        share: Position between them, 0 to 1.
    """
    lengths = np.linalg.norm(start.astype(np.float64)), np.linalg.norm(end.astype(np.float64))
    a, b = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(a @ b, -1.0, 1.0))
    if angle < 1e-6:  # the same seed twice: dividing by the sine would be 0 / 0
        return start
    direction = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    return (direction * ((1 - share) * lengths[0] + share * lengths[1])).astype(np.float32)


def normals(key: int, count: int) -> NDArray[np.float32]:
    """Return standard normals that depend on a key of 128 bits alone, (count,) float32."""
    pairs = (count + 1) // 2
    words = np.random.Philox(key=key).random_raw(2 * pairs)
    # 53 bits and half a step: strictly between 0 and 1, so that the logarithm is finite.
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:pairs]))
    angle = 2.0 * np.pi * uniform[pairs:]
    normals = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return normals[:count].astype(np.float32)
