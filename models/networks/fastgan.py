"""The FastGAN generator: few layers, wide at low resolutions, small maps gating large ones.

Source: Liu et al. 2021, arXiv:2101.04775.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.dcgan import init_dcgan
from models.networks.resampling import UpsampledConv2d
from models.networks.scales import scales

# Channels at each resolution, as multiples of the width.
WIDTHS = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25}

GATED_FROM_PX = 64
GATE_RATIO = 16  # maps from 64 px up are gated by the maps of a sixteenth of their resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedConfig:
    """What fixes the shape of a FastGAN generator and its projected discriminator.

    Attributes:
        z_dim: 256 in the paper.
        width: Channels of the generator at 128 px; the discriminator has at most four
            times as many.
        most_channels: Cap on the generator's channels. Two thirds of its weights are in
            the first two stages, at resolutions with little to see.
        pixel_judge: Base channels of the discriminator's head on raw pixels; 0 for none.
    """

    size_px: int
    z_dim: int
    width: int
    most_channels: int = 4096
    pixel_judge: int = 0

    def __post_init__(self) -> None:
        """Reject an impossible shape before anything is built."""
        _ = self.channels

    @property
    def channels(self) -> dict[int, int]:
        """Channels of the generator at 4, 8, ..., `size_px`; RecipeError for another size."""
        wanted = {side: int(self.width * WIDTHS[side]) for side in scales(self.size_px)}
        return {side: min(max(1, count), self.most_channels) for side, count in wanted.items()}


class FastganGenerator(nn.Module):
    """Latents in, images out.

    In training mode noise is added to the maps, drawn anew each time from torch's default
    generator of the device; in eval mode there is none, so that a latent determines its image.
    It is trained with spectral norm on all of its convolutions
    (`models.networks.spectral.normalize`) and served without.
    """

    def __init__(self, config: ProjectedConfig) -> None:
        super().__init__()
        channels = config.channels
        sides = list(channels)
        self.opening = nn.Sequential(
            nn.ConvTranspose2d(config.z_dim, 2 * channels[4], 4, bias=False),
            nn.BatchNorm2d(2 * channels[4]),
            _Glu(),
        )
        self.stages, self.gates = nn.ModuleDict(), nn.ModuleDict()
        for index, (before, side) in enumerate(pairwise(sides)):
            noisy = index % 2 == 0
            self.stages[str(side)] = _stage(channels[before], channels[side], noisy=noisy)
            if side >= GATED_FROM_PX:
                self.gates[str(side)] = _Gate(channels[side // GATE_RATIO], channels[side])
        self.closing = nn.Conv2d(channels[config.size_px], 3, 3, padding=1, bias=False)
        self.apply(init_dcgan)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images: (N, Z) float32, whose length is normalized, to (N, 3, H, W)."""
        # Normalized as in StyleGAN; so truncation has no effect on this network.
        z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        x = self.opening(z[:, :, None, None])
        maps = {4: x}
        for name, stage in self.stages.items():
            x, side = stage(x), int(name)
            if name in self.gates:
                x = self.gates[name](maps[side // GATE_RATIO], x)
            maps[side] = x
        return self.closing(x).tanh()


class _Noise(nn.Module):
    """Adds one map of noise to all channels, at a learned scale; does nothing in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        # Zero, so that a fresh generator depends on its latent alone and learns to want noise.
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        return x + self.weight.to(x.dtype) * noise


class _Glu(nn.Module):
    """Gated linear unit over channels: the first half, weighted by the sigmoid of the second."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return _TrainedGlu.apply(x)  # type: ignore[no-untyped-call]
        passed, gate = x.chunk(2, 1)
        return passed * gate.sigmoid()


class _TrainedGlu(torch.autograd.Function):
    """The same values, with a backward pass of fewer and contiguous operations.

    On a CPU in bf16 it takes 0.6 of autograd's time at 256 px and a third at 128. F.glu is no
    alternative: its backward pass loses channels_last and takes three to fifteen times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        passed, gate = x.chunk(2, 1)
        # A copy first: half of the channels are short, strided rows, slow for a sigmoid.
        weight = gate.contiguous(memory_format=torch.channels_last).sigmoid_()
        result = passed * weight
        ctx.save_for_backward(weight, result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        weight, result = ctx.saved_tensors
        channels = result.shape[1]
        shape = (len(result), 2 * channels, *result.shape[2:])
        by_x = torch.empty(
            shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last
        )
        torch.mul(gradient, weight, out=by_x[:, :channels])
        # passed * weight * (1 - weight), without keeping `passed`.
        slope = torch.addcmul(result, result, weight, value=-1)
        torch.mul(gradient, slope, out=by_x[:, channels:])
        return by_x


class _Gate(nn.Module):
    """Skip-layer excitation: small maps decide how much passes of each channel of large ones."""

    def __init__(self, channels_small: int, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels_small, channels, 4, bias=False)
        self.excite = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, small: Tensor, x: Tensor) -> Tensor:
        small = F.avg_pool2d(small, small.shape[2] // 4)
        return x * self.excite(F.silu(self.squeeze(small))).sigmoid()


def _stage(channels_in: int, channels_out: int, *, noisy: bool) -> nn.Sequential:
    """Return an upsampling stage; every other one has a second convolution, and noise."""
    first = UpsampledConv2d(channels_in, 2 * channels_out, bias=False)
    if not noisy:
        return nn.Sequential(first, *_gated_norm(channels_out))
    second = nn.Conv2d(channels_out, 2 * channels_out, 3, padding=1, bias=False)
    return nn.Sequential(
        *(first, _Noise(), *_gated_norm(channels_out)),
        *(second, _Noise(), *_gated_norm(channels_out)),
    )


def _gated_norm(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return batch norm and the gate that halves the channels."""
    return nn.BatchNorm2d(2 * channels), _Glu()
