"""The FastGAN generator: few layers, wide at small sides, small maps gating large ones.

Source: Liu et al. 2021, arXiv:2101.04775.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.dcgan import init_dcgan
from models.networks.resampling import UpsampledConv2d
from models.networks.scales import scales

# Channels at each side, in widths.
WIDTHS = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25}

GATED_FROM_PX = 64
GATE_RATIO = 16  # maps from 64 px up are gated, each by the maps of a sixteenth of their side


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedConfig:
    """What fixes the shape of a FastGAN generator and its projected discriminator.

    Attributes:
        size_px: Image resolution, a power of two from 32 to 512.
        z_dim: Length of the latent, 256 in the paper.
        width: Channels of the generator at 128 px; the discriminator has four
            times as many at most.
        most_channels: Most channels of the generator at any side. Two thirds of the
            weights are in the first two stages, at sides where there is little to see.
        pixel_judge: Base channels of the discriminator's judge of the images themselves;
            0 for none.
    """

    size_px: int
    z_dim: int
    width: int
    most_channels: int = 4096
    pixel_judge: int = 0

    def __post_init__(self) -> None:
        """Refuse what the networks cannot be, before anything is built."""
        _ = self.channels

    @property
    def channels(self) -> dict[int, int]:
        """Channels of the generator at the sides 4, 8, ..., `size_px`.

        Raises:
            RecipeError: The networks cannot make the size.
        """
        wanted = {side: int(self.width * WIDTHS[side]) for side in scales(self.size_px)}
        return {side: min(max(1, count), self.most_channels) for side, count in wanted.items()}


class FastganGenerator(nn.Module):
    """Latents in, images out.

    In training mode noise is added to the maps, drawn anew each time from torch's
    default generator of the device. In eval mode there is none: one latent makes one
    image.

    It is trained with spectral norm on all of its convolutions
    (`models.networks.spectral.normalize`) and served without.

    Args:
        config: Shape of the network.

    Raises:
        RecipeError: It cannot make the size.
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
        """Make images.

        Args:
            z: (N, Z) float32; its length is normalized.

        Returns:
            (N, 3, H, W) in [-1, 1].
        """
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
    """Adds one map of noise to all channels, as loud as is learned; silent in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        return x + self.weight.to(x.dtype) * noise


class _Glu(nn.Module):
    """Gated linear unit over channels: the first half, weighed by the sigmoid of the second.

    Torch's own loses the channels_last layout backward, and takes three (float32) to
    fifteen (bf16) times as long there on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        passed, gate = x.chunk(2, 1)
        return passed * gate.sigmoid()


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
    """Return layers that double the side; every other stage has a second convolution and noise."""
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
