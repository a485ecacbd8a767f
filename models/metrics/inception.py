"""The Inception-v3 of the FID in the literature; the user provides the weights.

It is TensorFlow's network of 2015-12-05, not torchvision's: average pools do not count the
padding, the last mixed block pools by maximum, and there are 1,008 classes. Weights are named as
in pytorch-fid's port, `pt_inception-2015-12-05`, which nothing here downloads or unpickles: the
user converts it by `CONVERSION`.

Sources: Szegedy et al. 2015, arXiv:1512.00567 (the network); Heusel et al. 2017,
arXiv:1706.08500 (its use).
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.errors import CheckpointError, InvalidValue
from models.inference.checkpoints import fill

CLASSES = 1008
DIM = 2048
EPS = 1e-3  # of the batch norms

# For a throw-away environment with torch and safetensors: unpickling is kept out of this one.
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
        detail = "" if path else "No file of Inception weights was given."
        raise InvalidValue("inception", path and str(path), allowed, detail)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as err:
        found = f"{path.name} is not a readable safetensors file: {err}."
        raise CheckpointError(found, REMEDY) from err
    # On no device, so that no random initial weights are drawn only to be replaced.
    with torch.device("meta"):
        network = Inception()
    fill(network, weights, path.name, REMEDY)
    return network.folded().eval().requires_grad_(requires_grad=False)


class Inception(nn.Module):
    """The network, layer by layer, named as in the weights file."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3, same=False)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3, same=False)
        self.Mixed_5b = _mixed35(192, pooled=32)
        self.Mixed_5c = _mixed35(256, pooled=64)
        self.Mixed_5d = _mixed35(288, pooled=64)
        self.Mixed_6a = _to17(288)
        self.Mixed_6b = _mixed17(768, inner=128)
        self.Mixed_6c = _mixed17(768, inner=160)
        self.Mixed_6d = _mixed17(768, inner=160)
        self.Mixed_6e = _mixed17(768, inner=192)
        self.Mixed_7a = _to8(768)
        self.Mixed_7b = _mixed8(1280, _average)
        self.Mixed_7c = _mixed8(2048, _maximum)
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


Kernel = int | tuple[int, int]
Step = tuple[int, Kernel] | tuple[int, Kernel, int] | tuple[int, list[Kernel]]
Pool = Callable[[Tensor], Tensor]

WIDE, TALL = (1, 7), (7, 1)  # a 7x7 convolution in two factors
FORK: list[Kernel] = [(1, 3), (3, 1)]


class _Conv(nn.Module):
    """A convolution without bias, batch norm, ReLU; padded for "same" or not at all."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: Kernel,
        stride: int = 1,
        same: bool = True,
    ) -> None:
        super().__init__()
        high, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (high // 2, wide // 2) if same and stride == 1 else 0
        self.conv = nn.Conv2d(channels_in, channels_out, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def fold(self) -> None:
        self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
        self.bn = nn.Identity()  # type: ignore[assignment]


class _Mixed(nn.Module):
    """Branches side by side: chains of convolutions, and a pool; their maps are concatenated.

    Args:
        channels: Of the input.
        pool: Pools the input; the chain `branch_pool` follows it if there is one.
        chains: Channels, kernel and stride of each convolution, by branch. The n-th of
            several is named `{branch}_{n}`; one of two kernels is a fork, "a" and "b".
    """

    def __init__(self, channels: int, pool: Pool, **chains: list[Step]) -> None:
        super().__init__()
        self.pool = pool
        self.branches: dict[str, list[list[str]]] = {}
        for branch, chain in chains.items():
            steps, before = self.branches.setdefault(branch, []), channels
            for number, (after, kernel, *stride) in enumerate(chain, 1):
                name = branch if len(chain) == 1 else f"{branch}_{number}"
                kernels = kernel if isinstance(kernel, list) else [kernel]
                steps.append([name + letter for letter in ("ab" if len(kernels) > 1 else [""])])
                for part, each in zip(steps[-1], kernels, strict=True):
                    self.add_module(part, _Conv(before, after, each, stride[0] if stride else 1))
                before = after

    def forward(self, x: Tensor) -> Tensor:
        chains = {name: steps for name, steps in self.branches.items() if name != "branch_pool"}
        maps = [self._through(steps, x) for steps in chains.values()]
        pooled = self._through(self.branches.get("branch_pool", []), self.pool(x))
        return torch.cat([*maps, pooled], 1)

    def _through(self, steps: list[list[str]], x: Tensor) -> Tensor:
        for parts in steps:
            x = torch.cat([self.get_submodule(part)(x) for part in parts], 1)
        return x


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def _halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


def _mixed35(channels: int, pooled: int) -> _Mixed:
    return _Mixed(
        channels,
        _average,
        branch1x1=[(64, 1)],
        branch5x5=[(48, 1), (64, 5)],
        branch3x3dbl=[(64, 1), (96, 3), (96, 3)],
        branch_pool=[(pooled, 1)],
    )


def _to17(channels: int) -> _Mixed:
    double: list[Step] = [(64, 1), (96, 3), (96, 3, 2)]
    return _Mixed(channels, _halved, branch3x3=[(384, 3, 2)], branch3x3dbl=double)


def _mixed17(channels: int, inner: int) -> _Mixed:
    return _Mixed(
        channels,
        _average,
        branch1x1=[(192, 1)],
        branch7x7=[(inner, 1), (inner, WIDE), (192, TALL)],
        branch7x7dbl=[(inner, 1), (inner, TALL), (inner, WIDE), (inner, TALL), (192, WIDE)],
        branch_pool=[(192, 1)],
    )


def _to8(channels: int) -> _Mixed:
    seven: list[Step] = [(192, 1), (192, WIDE), (192, TALL), (192, 3, 2)]
    return _Mixed(channels, _halved, branch3x3=[(192, 1), (320, 3, 2)], branch7x7x3=seven)


def _mixed8(channels: int, pool: Pool) -> _Mixed:
    return _Mixed(
        channels,
        pool,
        branch1x1=[(320, 1)],
        branch3x3=[(384, 1), (384, FORK)],
        branch3x3dbl=[(448, 1), (384, 3), (384, FORK)],
        branch_pool=[(192, 1)],
    )
