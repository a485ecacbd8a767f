"""Statistics of a dataset's real images, stored so that evaluation costs only the fakes."""

import json
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from models.errors import StoreError
from models.metrics.blocks import as_rows
from models.metrics.frechet import Gaussian, gaussian_of
from models.metrics.kid import kernel_means
from models.metrics.neighbors import nearest, squared_radii
from models.metrics.protocols import NEIGHBORS

FORMAT_VERSION = 2
FORMAT = f"cattery-reference-{FORMAT_VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Real images' features and what depends on them alone, on the CPU.

    Attributes:
        features: Key of the feature network, `Features.key`.
        pictures: (N,) int64, their rows in the dataset's pack.
        gaussian: Of the features before rounding.
        rows: (N, D) float16 features: half the size, and no metric moves by a thousandth of
            its interval.
        kernel_means: (N,) float64, `kid.kernel_means` of the rows.
        squared_radii: (N,) float64, `neighbors.squared_radii` of the rows; empty
            if there are too few.
        heldout: (H,) float64, distances of held-out images to the nearest row.
    """

    features: str
    dataset: str
    fingerprint: str
    size_px: int
    pictures: Tensor
    gaussian: Gaussian
    rows: Tensor
    kernel_means: Tensor
    squared_radii: Tensor
    heldout: Tensor

    @property
    def count(self) -> int:
        """Number of real images."""
        return len(self.rows)

    def to_bytes(self) -> bytes:
        """Return it as a safetensors file."""
        tensors = {
            "pictures": self.pictures,
            "mean": self.gaussian.mean,
            "root": self.gaussian.root,
            "rows": self.rows,
            "kernel_means": self.kernel_means,
            "squared_radii": self.squared_radii,
            "heldout": self.heldout,
        }
        header = {
            "format": FORMAT,
            "features": self.features,
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "size_px": self.size_px,
        }
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        return save(contiguous, {"cattery": json.dumps(header)})

    @classmethod
    def from_bytes(cls, raw: bytes, name: str = "The file") -> "Reference":
        """Parse what `to_bytes` returned; StoreError, by this name, if it is damaged."""
        try:
            length = int.from_bytes(raw[:8], "little")
            header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["cattery"])
            tensors = load(raw)
            _check(header, tensors)
            return cls(
                features=header["features"],
                dataset=header["dataset"],
                fingerprint=header["fingerprint"],
                size_px=header["size_px"],
                gaussian=Gaussian(mean=tensors.pop("mean"), root=tensors.pop("root")),
                **tensors,
            )
        except (SafetensorError, KeyError, IndexError, TypeError, ValueError) as err:
            raise StoreError(
                f"{name} with reference statistics is damaged: {err}.",
                "Delete it in the store; the statistics are then computed again.",
            ) from err


def _check(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    count, dim = tensors["rows"].shape
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = {
        "pictures": (count,),
        "mean": (dim,),
        "root": (dim, dim),
        "rows": (count, dim),
        "kernel_means": (count,),
        "squared_radii": (count if count > NEIGHBORS else 0,),
        "heldout": shapes["heldout"],
    }
    if header["format"] != FORMAT or shapes != wanted:
        raise ValueError(f"format {header['format']!r}, shapes {shapes}")


def make_reference(
    real: Tensor,
    heldout: Tensor,
    *,
    pictures: Tensor,
    device: torch.device,
    features: str,
    dataset: str,
    fingerprint: str,
    size_px: int,
) -> Reference:
    """Compute what is stored of real images.

    Args:
        real: (N, D) float32 features of training images, N of at least 2.
        heldout: (H, D) float32 features of held-out images; H may be 0.
        pictures: (N,) int64, where they are in the pack.
        device: Where to compute.
        features: Key of the feature network.
        dataset: Name of the dataset.
        fingerprint: Its fingerprint.
        size_px: Resolution.
    """
    gaussian = gaussian_of(as_rows(real, device))
    # Rounded before anything is derived, so that all of it belongs to the rows as stored.
    kept = real.half()
    rows = as_rows(kept, device)
    has_neighbors = len(rows) > NEIGHBORS
    distances = nearest(as_rows(heldout, device), rows)[0] if len(heldout) else rows.new_empty(0)
    return Reference(
        features=features,
        dataset=dataset,
        fingerprint=fingerprint,
        size_px=size_px,
        pictures=pictures,
        gaussian=Gaussian(mean=gaussian.mean.cpu(), root=gaussian.root.cpu()),
        rows=kept.cpu(),
        kernel_means=kernel_means(rows).cpu(),
        squared_radii=(squared_radii(rows) if has_neighbors else rows.new_empty(0)).cpu(),
        heldout=distances.cpu(),
    )
