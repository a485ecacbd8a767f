"""Inception-v3 as the FID of the literature looks through it; the weights are the user's.

It is the network of 2015-12-05 by TensorFlow's authors, not torchvision's. The
difference is in the pools: averages do not count the padding, the last mixed
block takes a maximum where the others take an average, and 1,008 classes end it.
Names of weights are those of pytorch-fid's port, `pt_inception-2015-12-05`, which
nothing here downloads or unpickles: `CONVERSION` is how a user makes the file.

Sources: Szegedy et al. 2015, arXiv:1512.00567 (the network); Heusel et al. 2017,
arXiv:1706.08500 (its use).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.errors import CheckpointError, InvalidValue

CLASSES = 1008
DIM = 2048
EPS = 1e-3  # of the batch norms

# To be run in a throw-away environment with torch and safetensors.
CONVERSION = (
    'python -c "import torch, safetensors.torch as s; s.save_file({k: v.contiguous() for k, v in '
    "torch.load('pt_inception-2015-12-05-6726825d.pth', weights_only=True).items()}, "
    "'inception.safetensors')\""
)

REMEDY = f"Download pytorch-fid's weights and convert them elsewhere: {CONVERSION}"


def load_inception(path: Path | None) -> nn.Module:
    """Return the frozen network, without its classifier: (N, 3, 299, 299) to (N, 2048, 8, 8).

    Its input is scaled to [-1, 1]. Batch norms are folded into the convolutions.

    Args:
        path: A safetensors file with pytorch-fid's names.

    Raises:
        InvalidValue: No path is given, or there is no file.
        CheckpointError: The file is damaged or holds other weights.
    """
    if path is None or not path.is_file():
        allowed = f"a safetensors file with the FID's Inception weights. {REMEDY}"
        raise InvalidValue("inception", None if path is None else str(path), allowed)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as err:
        raise CheckpointError(
            f"{path.name} is no readable safetensors file: {err}.", REMEDY
        ) from err
    with torch.device("meta"):
        network = Inception()
    _fill(network, weights, path.name)
    return network.folded().eval().requires_grad_(requires_grad=False)


def _fill(network: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    found = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    shapes = {k: v.shape for k, v in network.state_dict().items() if "num_batches" not in k}
    if odd := sorted(shapes.keys() ^ found.keys())[:3]:
        raise CheckpointError(f"{name} lacks or has too many tensors: {', '.join(odd)}.", REMEDY)
    for key, shape in shapes.items():
        if found[key].shape != shape:
            told = f"{tuple(found[key].shape)} instead of {tuple(shape)}"
            raise CheckpointError(f"{key} in {name} has shape {told}.", REMEDY)
        if not torch.isfinite(found[key]).all():
            raise CheckpointError(f"{key} in {name} is not finite everywhere.", REMEDY)
    tensors = {key: value.float() for key, value in found.items()}
    network.load_state_dict(tensors, strict=False, assign=True)


class Inception(nn.Module):
    """The network, layer by layer; names as in the weights file."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b = _Mixed35(192, pooled=32)
        self.Mixed_5c = _Mixed35(256, pooled=64)
        self.Mixed_5d = _Mixed35(288, pooled=64)
        self.Mixed_6a = _To17(288)
        self.Mixed_6b = _Mixed17(768, inner=128)
        self.Mixed_6c = _Mixed17(768, inner=160)
        self.Mixed_6d = _Mixed17(768, inner=160)
        self.Mixed_6e = _Mixed17(768, inner=192)
        self.Mixed_7a = _To8(768)
        self.Mixed_7b = _Mixed8(1280, takes_maximum=False)
        self.Mixed_7c = _Mixed8(2048, takes_maximum=True)
        self.fc = nn.Linear(DIM, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature maps: (N, 3, 299, 299) in [-1, 1] to (N, 2048, 8, 8)."""
        x = self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))  # (N, 32, 147, 147)
        x = F.max_pool2d(self.Conv2d_2b_3x3(x), 3, 2)  # (N, 64, 73, 73)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)  # (N, 192, 35, 35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (N, 288, 35, 35)
        x = self.Mixed_6b(self.Mixed_6a(x))  # (N, 768, 17, 17)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(x)))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))

    def folded(self) -> "Inception":
        """Fold the batch norms in and drop the classifier, which features do not need."""
        del self.fc
        for module in list(self.modules()):
            if isinstance(module, _Conv):
                module.fold()
        return self


class _Conv(nn.Module):
    """A convolution without bias, batch norm, ReLU."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def fold(self) -> None:
        self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
        self.bn = nn.Identity()  # type: ignore[assignment]


WIDE, TALL = (1, 7), (7, 1)


def _seven(channels_in: int, channels_out: int, kernel: tuple[int, int]) -> _Conv:
    return _Conv(channels_in, channels_out, kernel, padding=(kernel[0] // 2, kernel[1] // 2))


def _averaged(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _Mixed35(nn.Module):
    """A mixed block at 35 px."""

    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(channels, 64, 1)
        self.branch5x5_1 = _Conv(channels, 48, 1)
        self.branch5x5_2 = _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _Conv(channels, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches: Sequence[Tensor] = (
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_averaged(x)),
        )
        return torch.cat(list(branches), 1)


class _To17(nn.Module):
    """From 35 to 17 px."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Conv(channels, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class _Mixed17(nn.Module):
    """A mixed block at 17 px, its 7x7 convolutions taken apart."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(channels, 192, 1)
        self.branch7x7_1 = _Conv(channels, inner, 1)
        self.branch7x7_2 = _seven(inner, inner, WIDE)
        self.branch7x7_3 = _seven(inner, 192, TALL)
        self.branch7x7dbl_1 = _Conv(channels, inner, 1)
        self.branch7x7dbl_2 = _seven(inner, inner, TALL)
        self.branch7x7dbl_3 = _seven(inner, inner, WIDE)
        self.branch7x7dbl_4 = _seven(inner, inner, TALL)
        self.branch7x7dbl_5 = _seven(inner, 192, WIDE)
        self.branch_pool = _Conv(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branches = [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_averaged(x)),
        ]
        return torch.cat(branches, 1)


class _To8(nn.Module):
    """From 17 to 8 px."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = _Conv(channels, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(channels, 192, 1)
        self.branch7x7x3_2 = _seven(192, 192, WIDE)
        self.branch7x7x3_3 = _seven(192, 192, TALL)
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        branches = [
            self.branch3x3_2(self.branch3x3_1(x)),
            self.branch7x7x3_4(seven),
            F.max_pool2d(x, 3, 2),
        ]
        return torch.cat(branches, 1)


class _Mixed8(nn.Module):
    """A mixed block at 8 px, whose 3x3 convolutions end in a fork."""

    def __init__(self, channels: int, *, takes_maximum: bool) -> None:
        super().__init__()
        self.takes_maximum = takes_maximum
        self.branch1x1 = _Conv(channels, 320, 1)
        self.branch3x3_1 = _Conv(channels, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = _Conv(channels, 448, 1)
        self.branch3x3dbl_2 = _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = _Conv(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.takes_maximum else _averaged(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, 1)
