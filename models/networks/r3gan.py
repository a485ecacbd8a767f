"""R3GAN's own pair: residual, without any normalization, resampled without aliasing.

Both networks are stages of two blocks, one stage per resolution from 4 px up; a block is 1x1,
grouped 3x3, 1x1 with twice the channels inside and leaky ReLU between. The generator starts
from learned 4x4 maps that the latent scales, the discriminator ends in learned 4x4 weights per
channel. Each branch's last layer starts at zero, the others at a scale that fits the depth, so
that the sum of all blocks starts out small.

Channels: `width` at full resolution, doubling as it halves, at most 8 times `width`. Width 96 is
the paper's network for 256 px (96 to 768 channels). Its network for 64 px, trained on 70,000
faces, is wider than this rule makes it: 384 channels at 64 px and 768 below.

Source: Huang et al. 2024, arXiv:2501.05441, section 4 and appendix.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import RecipeError
from models.networks.convolution import PenalizedConv2d
from models.networks.resampling import resample, smooth_down_matrix, smooth_up_matrix
from models.networks.scales import scales

MOST_CHANNELS = 8  # at the lowest resolutions, as a multiple of the width

GROUP = 16  # channels in each group of the 3x3 convolutions

BLOCKS = 2  # per stage

EXPANSION = 2  # channels inside a block, per channel outside

SLOPE = 0.2
# Leaky ReLU attenuates its input; the layer before it makes up for that.
GAIN = sqrt(2 / (1 + SLOPE**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class R3ganConfig:
    """What fixes the shape of the pair.

    Attributes:
        size_px: A power of two from 32 to 512.
        z_dim: 64 in the paper.
        width: Channels at full resolution, a multiple of 8.
    """

    size_px: int
    z_dim: int
    width: int

    def __post_init__(self) -> None:
        """Reject an impossible shape before anything is built."""
        _ = self.channels

    @property
    def channels(self) -> list[int]:
        """Channels at 4, 8, ..., `size_px`.

        Raises:
            RecipeError: The size is none of these, or the width does not fill groups.
        """
        if self.width <= 0 or self.width * EXPANSION % GROUP:
            raise RecipeError("width", self.width, f"a multiple of {GROUP // EXPANSION}")
        times = [self.size_px // side for side in scales(self.size_px)]
        return [self.width * min(time, MOST_CHANNELS) for time in times]


class R3ganGenerator(nn.Module):
    """Latents in, images out."""

    def __init__(self, config: R3ganConfig) -> None:
        super().__init__()
        channels, sides = config.channels, scales(config.size_px)
        depth = BLOCKS * len(sides)
        layers: list[nn.Module] = [_OpeningMaps(config.z_dim, channels[0])]
        layers += _blocks(channels[0], depth)
        for side, before, after in zip(sides, channels, channels[1:], strict=False):
            layers += [_Widen(before, after), _Resample(smooth_up_matrix(side))]
            layers += _blocks(after, depth)
        self.main = nn.Sequential(*layers, _convolution(channels[-1], 3))

    def forward(self, z: Tensor) -> Tensor:
        """Generate images: (N, Z) float32 to (N, 3, H, W), in [-1, 1] in eval mode."""
        images = self.main(z)
        # Unbounded in training, as in the paper: a clamp would stop the gradients beyond it.
        return images if self.training else images.clamp(-1, 1)


class R3ganDiscriminator(nn.Module):
    """Images in, raw logits out; `config.z_dim` is not used."""

    def __init__(self, config: R3ganConfig) -> None:
        super().__init__()
        channels, sides = config.channels[::-1], scales(config.size_px)[::-1]
        depth = BLOCKS * len(sides)
        layers: list[nn.Module] = [_convolution(3, channels[0])]
        for side, before, after in zip(sides, channels, channels[1:], strict=False):
            layers += _blocks(before, depth)
            layers += [_Resample(smooth_down_matrix(side)), _Widen(before, after)]
        layers += _blocks(channels[-1], depth)
        layers += [_convolution(channels[-1], channels[-1], 4, padding=0, groups=channels[-1])]
        self.main = nn.Sequential(*layers, _convolution(channels[-1], 1), nn.Flatten(0))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits: (N, 3, H, W), mostly in [-1, 1], to (N,)."""
        return self.main(images)


class _OpeningMaps(nn.Module):
    """Learned 4x4 maps, each scaled by a linear function of the latent."""

    def __init__(self, z_dim: int, channels: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, 4, 4))
        self.weight = nn.Parameter(torch.randn(z_dim, channels) / sqrt(z_dim))

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight)[:, :, None, None] * self.maps


class _Block(nn.Module):
    """A residual block without normalization."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        gain = GAIN * depth**-0.25  # Fixup with three layers a branch: depth ** (-1 / (2 * 3 - 2))
        self.conv1 = _convolution(channels, inner, gain=gain, bias=True)
        self.conv2 = _convolution(
            inner, inner, 3, padding=1, groups=inner // GROUP, gain=gain, bias=True
        )
        self.conv3 = _convolution(inner, channels, gain=0.0)  # each block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.conv1(x), SLOPE)
        y = F.leaky_relu(self.conv2(y), SLOPE)
        return x + self.conv3(y)


class _Resample(nn.Module):
    """Doubles or halves the resolution."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix, persistent=False)
        self.matrix: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.matrix)


class _Widen(nn.Sequential):
    """A 1x1 convolution where the channels change, placed where maps are small and it is cheap."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        changes = channels_in != channels_out
        super().__init__(*([_convolution(channels_in, channels_out)] if changes else []))


def _blocks(channels: int, depth: int) -> list[nn.Module]:
    return [_Block(channels, depth) for _ in range(BLOCKS)]


def _convolution(
    channels_in: int,
    channels_out: int,
    kernel: int = 1,
    *,
    padding: int = 0,
    groups: int = 1,
    gain: float = 1.0,
    bias: bool = False,
) -> PenalizedConv2d:
    """Return a convolution with weights from N(0, gain^2 / fan-in) and zero biases."""
    module = PenalizedConv2d(
        channels_in, channels_out, kernel, padding=padding, groups=groups, bias=bias
    )
    fan_in = module.weight[0].numel()
    nn.init.normal_(module.weight, 0.0, gain / sqrt(fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
