"""The one table of feature networks for metrics.

They compute in float32 without TF32 everywhere: results comparable across machines are worth
more than bf16's double speed.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.devices import exact_convolutions
from models.errors import InvalidValue
from models.metrics.inception import load_inception
from models.networks.efficientnet import efficientnet_lite0, efficientnet_lite2
from models.store.records import Json

DEFAULT = "efficientnet-lite0"

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureNetwork:
    """One way from images to features.

    Attributes:
        load: From the user's weights file, or None, to (N, 3, S, S) -> (N, D, h, w).
        dim: D, the length of the features, which are the maps' means.
        side_px: S, the input size.
        mode: Of torch's interpolation, corners not aligned.
        is_antialiased: Likewise; without effect on images smaller than S.
        mean: Gray levels subtracted, by color channel.
        std: Gray levels divided by.
        needs_weights: Whether the user has to provide a file.
    """

    load: Callable[[Path | None], nn.Module]
    dim: int
    side_px: int
    mode: str
    is_antialiased: bool
    mean: Channels
    std: Channels
    needs_weights: bool = False

    @property
    def resizer(self) -> str:
        """The resizer in words."""
        return f"torch {self.mode}{' antialiased' * self.is_antialiased} to {self.side_px}"


# Scaled as its authors trained it.
_LITE0 = FeatureNetwork(
    load=lambda _: efficientnet_lite0(),
    dim=1280,
    side_px=224,
    mode="bicubic",
    is_antialiased=True,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
)

FEATURES: Mapping[str, FeatureNetwork] = {
    "efficientnet-lite0": _LITE0,
    # The scaling by which this project's early results were measured.
    "efficientnet-lite0-imagenet": replace(
        _LITE0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    ),
    # No recipe trains on its features, so it can check all of them; nothing is selected by it.
    "efficientnet-lite2": replace(_LITE0, load=lambda _: efficientnet_lite2(), side_px=260),
    # As in pytorch-fid, whose port of the weights it takes.
    "inception-v3": FeatureNetwork(
        load=load_inception,
        dim=2048,
        side_px=299,
        mode="bilinear",
        is_antialiased=False,
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        needs_weights=True,
    ),
}


class Features:
    """A feature network on one device.

    Args:
        device: Where to compute.
        name: Key in `FEATURES`.
        weights: The file of a network whose weights the user provides.

    Raises:
        InvalidValue: There is no such network, its package or file is missing, or a file
            was given to a network that takes none.
        CheckpointError: The file is damaged or holds other weights.
    """

    def __init__(
        self, device: torch.device, name: str = DEFAULT, weights: Path | None = None
    ) -> None:
        if name not in FEATURES:
            raise InvalidValue("features", name, ", ".join(FEATURES))
        row = FEATURES[name]
        if weights is not None and not row.needs_weights:
            raise InvalidValue("inception", str(weights), f"nothing: {name} has its own weights")
        # On two cores of an AMD EPYC, images a second in float32: 127 in batches of 8, channels
        # last; 51 contiguous; 59 in batches of 64, 28 contiguous.
        is_cpu = device.type == "cpu"
        self._batch = 8 if is_cpu else 128
        self._layout = torch.channels_last if is_cpu else torch.contiguous_format
        network = row.load(weights)
        self._network = network.to(device).to(memory_format=self._layout)  # type: ignore[call-overload]
        self._mean = torch.tensor(row.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(row.std, device=device).view(1, 3, 1, 1)
        self._row = row
        self._device = device
        self._sum = None if weights is None else _sum_of(weights)
        self.name = name

    def __call__(
        self, images: NDArray[np.uint8], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return one feature vector an image.

        Args:
            images: (N, H, W, 3) uint8.
            on_progress: Called with the number done, after each batch.

        Returns:
            (N, D) float32.
        """
        rows = []
        for start in range(0, len(images), self._batch):
            # A copy: the images may be a read-only memory map, which torch warns about.
            rows.append(self._forward(np.array(images[start : start + self._batch])))
            if on_progress:
                on_progress(min(start + self._batch, len(images)))
        return np.concatenate(rows) if rows else np.empty((0, self._row.dim), np.float32)

    @torch.inference_mode()
    def _forward(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        row = self._row
        x: Tensor = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()
        size = (row.side_px, row.side_px)
        x = F.interpolate(x, size, mode=row.mode, align_corners=False, antialias=row.is_antialiased)
        x = x.clamp_(0, 255).sub_(self._mean).div_(self._std)
        with exact_convolutions(self._device):
            maps = self._network(x.contiguous(memory_format=self._layout))
        return maps.mean((2, 3)).cpu().numpy()

    @property
    def key(self) -> str:
        """Identifies stored statistics: network, precision and the user's weights."""
        return f"{self.name}-fp32" + (f"-{self._sum[:8]}" if self._sum else "")

    @property
    def protocol(self) -> Json:
        """How images become features, for the record."""
        described: Json = {"features": self.name, "resizer": self._row.resizer, "precision": "fp32"}
        return {**described, "weights": self._sum[:12]} if self._sum else described


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
