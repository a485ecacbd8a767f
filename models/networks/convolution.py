"""Convolutions whose gradient can itself be differentiated at a convolution's price."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight


class PenalizedConv2d(nn.Conv2d):
    """A convolution for networks with a gradient penalty; stride one only.

    To differentiate the input gradient again, torch convolves with kernels as large as the
    image, group by group. Here that gradient is a transposed convolution that autograd
    knows, so its own gradient is an ordinary one, all groups at once. Values and gradients
    are those of `nn.Conv2d`, up to rounding.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D, H, W) in the type of `x`, or in autocast's."""
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        # Cast here: backward runs outside autocast, and needs operands of one type.
        bias = None if self.bias is None else self.bias.to(dtype)
        inputs = x.to(dtype), self.weight.to(dtype), bias, int(self.padding[0]), self.groups
        return _Convolution.apply(*inputs)  # type: ignore[no-untyped-call]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, groups: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.groups = padding, groups
        return F.conv2d(x, weight, bias, padding=padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        padding, groups = ctx.padding, ctx.groups
        by_x = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            by_x = F.conv_transpose2d(gradient, weight, padding=padding, groups=groups)
        if ctx.needs_input_grad[1]:
            by_weight = conv2d_weight(  # type: ignore[no-untyped-call]
                x, weight.shape, gradient, padding=padding, groups=groups
            )
        if ctx.needs_input_grad[2]:
            by_bias = gradient.sum((0, 2, 3))
        return by_x, by_weight, by_bias, None, None
