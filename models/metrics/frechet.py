"""The Frechet distance between two sets of features seen as Gaussians.

Source: Heusel et al. 2017, arXiv:1706.08500, eq. 6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.errors import StoreError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Real pictures' statistics.

    Attributes:
        mean: (D,) float64.
        root: (D, D) float64, the symmetric square root of the covariance: with
            it at hand, a comparison costs one small singular value decomposition.
        count: Number of pictures.
    """

    mean: Array
    root: Array
    count: int

    def to_bytes(self) -> bytes:
        """Return the statistics as a safetensors file."""
        return save({"mean": self.mean, "root": self.root}, {"count": str(self.count)})

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Reference":
        """Read the statistics back.

        Raises:
            StoreError: The file is damaged.
        """
        try:
            tensors = load(raw)
            length = int.from_bytes(raw[:8], "little")
            header = raw[8 : 8 + length].decode()
            count = int(header.split('"count":"')[1].split('"')[0])
            return cls(mean=tensors["mean"], root=tensors["root"], count=count)
        except (SafetensorError, KeyError, IndexError, ValueError) as err:
            raise StoreError(f"The reference statistics are damaged: {err}.") from err


def reference_of(features: NDArray[np.float32]) -> Reference:
    """Return the statistics of real features, (N, D) float32 with N of at least 2."""
    values = features.astype(np.float64)
    mean = values.mean(0)
    eigenvalues, vectors = np.linalg.eigh(np.cov(values, rowvar=False))
    root = (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))) @ vectors.T
    return Reference(mean=mean, root=root, count=len(values))


def frechet_distance(reference: Reference, features: NDArray[np.float32]) -> float:
    """Return the distance of made pictures' features to the reference.

    The trace of the root of the product of both covariances is the sum of the
    singular values of `reference.root @ centered.T / sqrt(N - 1)`.

    Args:
        reference: Of the real pictures.
        features: (N, D) float32, N of at least 2.
    """
    values = features.astype(np.float64)
    mean = values.mean(0)
    centered = (values - mean) / np.sqrt(len(values) - 1)
    shared = np.linalg.svd(reference.root @ centered.T, compute_uv=False).sum()
    shift = np.square(mean - reference.mean).sum()
    traces = np.square(reference.root).sum() + np.square(centered).sum()
    return float(max(shift + traces - 2.0 * shared, 0.0))
