"""The Frechet distance between two sets of features seen as Gaussians.

Source: Heusel et al. 2017, arXiv:1706.08500, eq. 6.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian:
    """What the distance needs to know of the real images.

    Attributes:
        mean: (D,) float64.
        root: (D, D) float64, the symmetric square root of the covariance: with
            it at hand, a comparison costs one small symmetric eigenproblem.
    """

    mean: Tensor
    root: Tensor


def gaussian_of(real: Tensor) -> Gaussian:
    """Return the Gaussian of real features, (N, D) float64 with N of at least 2."""
    mean = real.mean(0)
    centered = real - mean
    eigenvalues, vectors = torch.linalg.eigh(centered.T @ centered / (len(real) - 1))
    root = (vectors * eigenvalues.clamp(min=0.0).sqrt()) @ vectors.T
    return Gaussian(mean=mean, root=root)


def frechet_distance(real: Gaussian, fake: Tensor) -> float:
    """Return the distance of generated images' features to the real ones'.

    The trace of the root of the product of both covariances is the sum of the
    singular values of `root @ centered.T / sqrt(N - 1)`, and these are the roots
    of the eigenvalues of the smaller of its two Gram matrices, which takes a
    quarter of the time.

    Args:
        real: Of the real images.
        fake: (N, D) float64 on the same device, N of at least 2.
    """
    mean = fake.mean(0)
    centered = (fake - mean) / (len(fake) - 1) ** 0.5
    product = real.root @ centered.T
    gram = product @ product.T if len(product) < len(fake) else product.T @ product
    shared = torch.linalg.eigvalsh(gram).clamp(min=0.0).sqrt().sum()
    shift = (mean - real.mean).square().sum()
    traces = real.root.square().sum() + centered.square().sum()
    return max(float(shift + traces - 2.0 * shared), 0.0)
