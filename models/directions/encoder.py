"""A linear encoder: from a thumbnail of a picture to a first guess at its latent."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

SIDE_PX = 16
PENALTY = 50.0  # of the ridge, for thumbnails in [-1, 1]


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images averaged down to 16 px and flattened, (N, 768) uint8.

    Args:
        images: (N, H, W, 3) uint8.
    """
    maps = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    small = F.adaptive_avg_pool2d(maps, SIDE_PX).flatten(1)
    return small.round().to(torch.uint8).numpy()


def scaled(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return thumbnails in [-1, 1]."""
    return thumbs.astype(np.float64) / 127.5 - 1


def fit_encoder(
    thumbs: NDArray[np.uint8], z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the ridge regression from thumbnails (N, F) to latents (N, Z), and their mean."""
    rows = scaled(thumbs)
    center = rows.mean(0)
    rows -= center
    gram = rows.T @ rows + PENALTY * np.eye(rows.shape[1])
    return np.linalg.solve(gram, rows.T @ z).astype(np.float32), center.astype(np.float32)
