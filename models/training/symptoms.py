"""What a failing training looks like: one number per symptom, real images beside generated ones.

Where the limits come from is in docs/collapse.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

MIN_IMAGES = 16  # images of a batch below which nearest neighbors say nothing

POOLED_PX = 8
SATURATED = 0.98  # distance from middle gray beyond which a value is at the end of the range

SPOT = 2 / 3  # a third of the range [-1, 1]: how far a value stands out that is a spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is measured of one step.

    Attributes:
        losses: Losses and mean scores by name.
        real: (N, 3, H, W) float32 in [-1, 1].
        fake: The same of generated images.
        chance: The discriminator's loss at logits of zero; 0 for none.
    """

    losses: Mapping[str, float]
    real: Tensor
    fake: Tensor
    chance: float


def count_non_finite(seen: Observation) -> float:
    """Count losses, and values of generated images, that are infinite or not a number."""
    losses = sum(not isfinite(value) for value in seen.losses.values())
    return float(losses + (~torch.isfinite(seen.fake)).sum().item())


def share_of_chance(seen: Observation) -> float | None:
    """Return the discriminator's loss as a share of what it would be without any knowledge."""
    return seen.losses["discriminator"] / seen.chance if seen.chance else None


def relative_variety(seen: Observation) -> float | None:
    """Compare how far generated images lie from each other with how far real ones do.

    Returns:
        Median distance of a generated image to its nearest neighbor, over the same
        of real images; None for small batches or real images that are alike.
    """
    if len(seen.real) < MIN_IMAGES:
        return None
    real, fake = nearest_distance(seen.real), nearest_distance(seen.fake)
    return fake / real if real > 0 else None


def nearest_distance(images: Tensor) -> float:
    """Return the median distance of an image to the one nearest to it.

    Args:
        images: (N, 3, H, W) float32; compared pooled to 8x8, by root mean square.
    """
    # Pooled, for noise in single pixels would make copies of one image look different.
    pooled = adaptive_avg_pool2d(images, POOLED_PX).flatten(1)
    # The faster way to compute distances finds none of exactly zero.
    distances = torch.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(float("inf"))
    return distances.amin(1).median().item() / pooled.shape[1] ** 0.5


def excess_of_spots(seen: Observation) -> float:
    """Return how much larger the share of spots is in generated images than in real ones."""
    return share_of_spots(seen.fake) - share_of_spots(seen.real)


def share_of_spots(images: Tensor) -> float:
    """Return the share of saturated values a third of the range from the mean of both neighbors.

    A checkered ground of black and white is full of them; a saturated area has none
    inside, and along its edge only where that is nearly as high as the range.

    Args:
        images: (N, 3, H, W) float32 in [-1, 1]; neighbors left and right, and above and below.
    """
    # A second difference is twice the distance from the neighbors' mean.
    across = images.diff(n=2, dim=3).abs() > 2 * SPOT
    down = images.diff(n=2, dim=2).abs() > 2 * SPOT
    ends = images.abs() > SATURATED
    across, down = across & ends[:, :, :, 1:-1], down & ends[:, :, 1:-1]
    return (across.float().mean() + down.float().mean()).item() / 2


def excess_of_saturated(seen: Observation) -> float:
    """Return how much larger the share of saturated values is in generated images than in real."""
    return share_of_saturated(seen.fake) - share_of_saturated(seen.real)


def share_of_saturated(images: Tensor) -> float:
    """Return the share of values at either end of the range, which is white, black or garish.

    Args:
        images: (N, 3, H, W) float32 in [-1, 1].
    """
    return (images.abs() > SATURATED).float().mean().item()
