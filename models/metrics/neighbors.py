"""Metrics by nearest neighbors among features: precision, recall and memorization.

Sources: Kynkäänniemi et al. 2019, arXiv:1904.06991 (improved precision and
recall); the memorization check is this project's own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import DatasetError
from models.metrics.blocks import squared_distances
from models.metrics.protocols import NEIGHBORS

NEAREST_SHARE = 0.01  # of the held-out images, closer than which a sample is suspect
FEWEST_HELDOUT = 10  # of fewer, the closest one is too random a limit


def squared_radii(rows: Tensor, k: int = NEIGHBORS) -> Tensor:
    """Return each row's squared distance to its k-th nearest other row: (N, D) to (N,).

    Raises:
        DatasetError: There are no k other rows.
    """
    if len(rows) <= k:
        raise DatasetError("number of images", len(rows), f"more than {k}")
    radii = []
    for here, block in squared_distances(rows, rows):
        # Excluded by place, not by distance: duplicates are neighbors at distance zero.
        block[:, here].fill_diagonal_(torch.inf)
        radii.append(block.topk(k, largest=False).values[:, -1])
    return torch.cat(radii)


def precision_recall(
    real: Tensor, real_radii: Tensor, fake: Tensor, fake_radii: Tensor
) -> tuple[float, float]:
    """Return the shares of fakes among the reals and of reals among the fakes.

    An image is among others if it is as close to one of them as that one's k-th nearest
    neighbor.

    Args:
        real: (N, D) float64.
        real_radii: `squared_radii(real)`.
        fake: (M, D) float64.
        fake_radii: `squared_radii(fake)`.

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991, eqs. 1 and 2.
    """
    hits = 0
    is_covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, block in squared_distances(fake, real):
        hits += int((block <= real_radii).any(1).sum())
        is_covered |= (block <= fake_radii[rows, None]).any(0)
    return hits / len(fake), float(is_covered.double().mean())


def nearest(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's distance to the nearest of the others, (N,), and its index, (N,)."""
    found = [block.min(1) for _, block in squared_distances(rows, others)]
    squares = torch.cat([part.values for part in found])
    return squares.sqrt(), torch.cat([part.indices for part in found])


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorization:
    """How close samples come to training images, compared with held-out images.

    Attributes:
        share: Of samples closer than the closest 1 % of held-out images.
        expected: The same if samples were as new as held-out images.
        median_ratio: Median distance of samples over that of held-out images.
    """

    share: float
    expected: float
    median_ratio: float


def memorization(heldout: Tensor, samples: Tensor) -> Memorization:
    """Compare the samples' distances to the nearest training image with the held-out ones'.

    Of H held-out images the r-th closest is the limit, r being 1 % of H but at least 1. An
    image of the same distribution is closer with probability r / (H + 1), whatever that is.

    Args:
        heldout: (H,) float64, distances of held-out images.
        samples: (M,) float64, distances of samples.

    Raises:
        DatasetError: Fewer than ten images were held out.
    """
    count = len(heldout)
    if count < FEWEST_HELDOUT:
        raise DatasetError("number of images held out", count, f"at least {FEWEST_HELDOUT}")
    rank = max(int(NEAREST_SHARE * count), 1)
    limit = heldout.sort().values[rank - 1]
    return Memorization(
        share=float((samples < limit).double().mean()),
        expected=rank / (count + 1),
        median_ratio=float(_median(samples) / _median(heldout).clamp(min=1e-12)),
    )


def _median(values: Tensor) -> Tensor:
    return values.quantile(0.5)
