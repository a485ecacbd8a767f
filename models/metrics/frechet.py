"""The Fréchet distance between Gaussians fitted to two sets of features.

Source: Heusel et al. 2017, arXiv:1706.08500, eq. 6.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian:
    """What the distance needs of the real images.

    Attributes:
        mean: (D,) float64.
        root: (D, D) float64, the symmetric square root of the covariance.
    """

    mean: Tensor
    root: Tensor


def gaussian_of(real: Tensor) -> Gaussian:
    """Return the Gaussian of real features, (N, D) float64 with N of at least 2."""
    mean = real.mean(0)
    centered = real - mean
    eigenvalues, vectors = torch.linalg.eigh(centered.T @ centered / (len(real) - 1))
    # Rounding makes the smallest eigenvalues slightly negative.
    root = (vectors * eigenvalues.clamp(min=0.0).sqrt()) @ vectors.T
    return Gaussian(mean=mean, root=root)


def frechet_distance(real: Gaussian, fake: Tensor) -> float:
    """Return the distance of fakes' features, (N, D) float64 with N of at least 2, to real ones."""
    mean = fake.mean(0)
    centered = (fake - mean) / (len(fake) - 1) ** 0.5
    # The trace of the root of the product of both covariances is the sum of the singular values
    # of `root @ centered.T`. Those are the roots of the eigenvalues of its smaller Gram matrix,
    # which takes a quarter of the time, and no square root of a matrix that is not symmetric.
    product = real.root @ centered.T
    gram = product @ product.T if len(product) < len(fake) else product.T @ product
    shared = torch.linalg.eigvalsh(gram).clamp(min=0.0).sqrt().sum()
    shift = (mean - real.mean).square().sum()
    traces = real.root.square().sum() + centered.square().sum()
    return max(float(shift + traces - 2.0 * shared), 0.0)  # equal sets: rounding can be negative
