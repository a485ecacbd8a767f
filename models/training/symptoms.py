"""Symptoms of failing training: one value each, from real and generated images."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

MIN_IMAGES = 16  # of a batch: nearest neighbors among fewer say nothing
POOLED_PX = 8
SATURATED = 0.98  # absolute value beyond which a pixel counts as clipped
SPOT = 2 / 3  # a third of the range [-1, 1]: how far a pixel in a spot stands out


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is measured of one step.

    Attributes:
        losses: Losses and mean scores by name.
        real: (N, 3, H, W) float32 in [-1, 1].
        fake: The same for generated images.
        chance: The discriminator's loss at logits of zero; 0 for none.
    """

    losses: Mapping[str, float]
    real: Tensor
    fake: Tensor
    chance: float


def count_non_finite(seen: Observation) -> float:
    """Count losses and generated pixels that are infinite or NaN."""
    losses = sum(not isfinite(value) for value in seen.losses.values())
    return float(losses + (~torch.isfinite(seen.fake)).sum().item())


def share_of_chance(seen: Observation) -> float | None:
    """Return the discriminator's loss as a share of its loss at chance."""
    return seen.losses["discriminator"] / seen.chance if seen.chance else None


def relative_variety(seen: Observation) -> float | None:
    """Return the median nearest-neighbor distance of fakes over that of real images.

    None for small batches, and for real images that are alike.
    """
    if len(seen.real) < MIN_IMAGES:
        return None
    real, fake = nearest_distance(seen.real), nearest_distance(seen.fake)
    return fake / real if real > 0 else None


def nearest_distance(images: Tensor) -> float:
    """Return the median RMS distance of (N, 3, H, W) images to their nearest neighbors."""
    # Pooled to 8x8: noise in single pixels would make copies of one image look different.
    pooled = adaptive_avg_pool2d(images, POOLED_PX).flatten(1)
    # The default computes |x|^2 + |y|^2 - 2xy, whose rounding hides a distance of zero.
    distances = torch.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(float("inf"))
    return distances.amin(1).median().item() / pooled.shape[1] ** 0.5


def excess_of_spots(seen: Observation) -> float:
    """Return by how much fakes have a larger share of spots than real images."""
    return share_of_spots(seen.fake) - share_of_spots(seen.real)


def share_of_spots(images: Tensor) -> float:
    """Return the share of saturated pixels a third of the range from the mean of both neighbors.

    A black and white checkerboard is full of them; a saturated area has none inside, and
    along its edge only where that spans nearly the whole range.

    Args:
        images: (N, 3, H, W) float32 in [-1, 1]; neighbors are horizontal, and vertical.
    """
    # A second difference is twice the distance from the neighbors' mean.
    across = images.diff(n=2, dim=3).abs() > 2 * SPOT
    down = images.diff(n=2, dim=2).abs() > 2 * SPOT
    ends = images.abs() > SATURATED
    across, down = across & ends[:, :, :, 1:-1], down & ends[:, :, 1:-1]
    return (across.float().mean() + down.float().mean()).item() / 2


def excess_of_saturated(seen: Observation) -> float:
    """Return by how much fakes have a larger share of saturated pixels than real images."""
    return share_of_saturated(seen.fake) - share_of_saturated(seen.real)


def share_of_saturated(images: Tensor) -> float:
    """Return the share of pixels of (N, 3, H, W) images at either end of [-1, 1]."""
    return (images.abs() > SATURATED).float().mean().item()
