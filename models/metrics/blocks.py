"""Matrix products of many rows with many others, a block of rows at a time.

float64 throughout: kernels and distances are small differences of large sums.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 512  # rows: ten thousand against ten thousand are 800 MB at once, 41 MB in blocks


def products(left: Tensor, right: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield inner products block by block.

    Args:
        left: (N, D) float64.
        right: (M, D) float64 on the same device.

    Yields:
        The block's rows of `left`, and their (B, M) products, which may be overwritten.
    """
    for start in range(0, len(left), BLOCK):
        rows = slice(start, min(start + BLOCK, len(left)))
        yield rows, left[rows] @ right.T


def squared_distances(left: Tensor, right: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield squared Euclidean distances block by block, as `products` does."""
    lengths_left, lengths_right = left.square().sum(1), right.square().sum(1)
    for rows, block in products(left, right):
        block.mul_(-2.0).add_(lengths_left[rows, None]).add_(lengths_right)
        yield rows, block.clamp_(min=0.0)  # rounding makes some slightly negative


def as_rows(features: Tensor, device: torch.device) -> Tensor:
    """Return features as the metrics compute with them: (N, D) float64 on the device."""
    return features.to(device, torch.float64)
