"""Resampling of feature maps: as matrix products, and merged into convolutions.

Linear resampling is a product with a small fixed matrix per axis. On a GPU that runs
on tensor cores and its gradient is deterministic, where that of interpolation adds up in
random order; and it can be differentiated any number of times.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Adding up the weights costs more than it saves on smaller maps; for one image, on 8 px too.
MERGED_FROM_PX = 8


def bilinear_matrix(source: int, target: int) -> Tensor:
    """Return the matrix of linear interpolation with half-pixel centers, (target, source)."""
    unit = torch.eye(source)[None]
    return F.interpolate(unit, size=target, mode="linear", align_corners=False)[0].T.contiguous()


def smooth_up_matrix(side: int) -> Tensor:
    """Return the matrix that doubles a length and blurs by [1, 2, 1], (2 side, side).

    Padded with zeros. The entries, 1/4 and 3/4, are exact in bf16.
    """
    return 2 * smooth_down_matrix(2 * side).T.contiguous()


def smooth_down_matrix(side: int) -> Tensor:
    """Return the matrix that blurs by [1, 2, 1] and halves a length, (side / 2, side)."""
    # [1, 2, 1] / 4 followed by means of two is one filter, [1, 3, 3, 1] / 8.
    taps = torch.tensor([[[1.0, 3.0, 3.0, 1.0]]]) / 8
    return F.conv1d(torch.eye(side)[:, None], taps, stride=2, padding=1)[:, 0].T.contiguous()


def resample(maps: Tensor, matrix: Tensor) -> Tensor:
    """Apply a matrix to both axes of square maps.

    Args:
        maps: (N, C, H, H), fastest in channels_last.
        matrix: (S, H); it is cast to the maps' type.

    Returns:
        (N, C, S, S) in channels_last.
    """
    count, channels, side, _ = maps.shape
    target, matrix = len(matrix), matrix.to(maps.dtype)
    rows = matrix @ maps.permute(0, 2, 3, 1).reshape(count, side, side * channels)
    both = matrix @ rows.view(count * target, side, channels)
    return both.view(count, target, target, channels).permute(0, 3, 1, 2)


class UpsampledConv2d(nn.Conv2d):
    """A 3x3 convolution of a map doubled by repetition, computed without doubling it.

    Weights that meet the same repeated value are added up first; what remains is one
    transposed 4x4 convolution with 4 / 9 of the products. The result is the same up to
    rounding, and takes half the time on a CPU at widths of 64 to 256, backward pass included.
    """

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1, bias=bias)
        # Reversed: a transposed convolution applies its kernel backward.
        self.register_buffer("spread", _spread().flip(1), persistent=False)
        self.spread: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D, 2 H, 2 W) for (N, C, H, W)."""
        if x.shape[2] < (MERGED_FROM_PX if self.training else 2 * MERGED_FROM_PX):
            return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        kernel = _four_by_four(self.weight.transpose(0, 1), self.spread)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class DownsampledConv2d(nn.Conv2d):
    """A 3x3 convolution followed by means of 2x2, computed as one 4x4 convolution of stride two.

    The result is the same, up to rounding, with 4 / 9 of the products.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.register_buffer("spread", _spread() / 4, persistent=False)
        self.spread: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D, H / 2, W / 2) for (N, C, H, W)."""
        kernel = _four_by_four(self.weight, self.spread)
        return F.conv2d(x, kernel, self.bias, stride=2, padding=1)


def _spread() -> Tensor:
    """Return the (9, 16) matrix that makes a 3x3 kernel the 4x4 sum of itself, shifted."""
    axis = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    return torch.kron(axis, axis).T.contiguous()


def _four_by_four(weight: Tensor, spread: Tensor) -> Tensor:
    """Return (D, C, 4, 4) for (D, C, 3, 3)."""
    return (weight.reshape(-1, 9) @ spread).view(*weight.shape[:2], 4, 4)
