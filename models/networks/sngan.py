"""The residual pair with spectral norm in the discriminator.

The generator starts at 4x4 with at most 16 times the width and halves its channels as the
resolution doubles, down to the width at full size; the discriminator mirrors it, with one
more block at 4x4. Width 64 at 128 px is the paper's ImageNet network;
at 64 px it follows the same rule (as its smaller tables do).

Source: Miyato et al. 2018, arXiv:1802.05957, appendix B.4, tables 5 and 6.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.resampling import DownsampledConv2d, UpsampledConv2d
from models.networks.scales import scales
from models.networks.spectral import normalize

MOST_CHANNELS = 16  # at 4x4, as a multiple of the width


@dataclass(frozen=True, slots=True, kw_only=True)
class SnganConfig:
    """What fixes the shape of the pair.

    Attributes:
        size_px: A power of two from 32 to 512.
        z_dim: 128 in the paper.
        width: Channels at full resolution, 64 in the paper.
    """

    size_px: int
    z_dim: int
    width: int

    def __post_init__(self) -> None:
        """Reject an impossible shape before anything is built."""
        _ = self.channels

    @property
    def channels(self) -> list[int]:
        """Channels at 4, 8, ..., `size_px`; RecipeError for another size."""
        times = [self.size_px // side for side in scales(self.size_px)]
        return [self.width * min(time, MOST_CHANNELS) for time in times]


class SnganGenerator(nn.Module):
    """Latents in, images out."""

    def __init__(self, config: SnganConfig) -> None:
        super().__init__()
        channels = config.channels
        self.opening = nn.Linear(config.z_dim, channels[0] * 16)
        self.blocks = nn.Sequential(*[_UpBlock(a, b) for a, b in pairwise(channels)])
        self.norm = nn.BatchNorm2d(channels[-1])
        self.closing = nn.Conv2d(channels[-1], 3, 3, padding=1)
        self.apply(_init_as_authors)
        nn.init.xavier_uniform_(self.closing.weight)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images: (N, Z) float32 to (N, 3, H, W) in [-1, 1]."""
        x = self.blocks(self.opening(z).unflatten(1, (-1, 4, 4)))
        return self.closing(F.relu(self.norm(x))).tanh()


class SnganDiscriminator(nn.Module):
    """Images in, raw logits out; spectral norm on every layer, no batch norm."""

    def __init__(self, config: SnganConfig) -> None:
        super().__init__()
        channels = config.channels[::-1]
        halving = [_DownBlock(a, b) for a, b in pairwise(channels[:-1])]
        self.blocks = nn.Sequential(
            _FirstBlock(channels[0]), *halving, _FlatBlock(channels[-2], channels[-1])
        )
        self.closing = nn.Linear(channels[-1], 1)
        self.apply(_init_as_authors)
        normalize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits: (N, 3, H, W) in [-1, 1] to (N,)."""
        x = F.relu(self.blocks(images)).sum((2, 3))
        return self.closing(x)[:, 0]


class _UpBlock(nn.Module):
    """Doubles the resolution; batch norm and ReLU come before each convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = UpsampledConv2d(channels_in, channels_out)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        # The 1x1 convolution commutes with repeating pixels, and first costs a quarter.
        return y + F.interpolate(self.shortcut(x), scale_factor=2.0, mode="nearest")


class _FirstBlock(nn.Module):
    """Halves the resolution of raw images, half of whose values a ReLU would discard."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.conv2 = DownsampledConv2d(channels, channels)
        self.shortcut = nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        # Pooling commutes with the 1x1 convolution, and first leaves a quarter of the work.
        return self.conv2(F.relu(self.conv1(x))) + self.shortcut(F.avg_pool2d(x, 2))


class _DownBlock(nn.Module):
    """Halves the resolution; ReLU comes before each convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1)
        self.conv2 = DownsampledConv2d(channels_in, channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(F.relu(x))))
        return y + self.shortcut(F.avg_pool2d(x, 2))


class _FlatBlock(nn.Module):
    """Keeps the resolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        widens = channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1) if widens else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(F.relu(x)))) + self.shortcut(x)


def _init_as_authors(module: nn.Module) -> None:
    """Draw weights as the authors' code does: Glorot uniform, sqrt(2) times larger in branches."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        is_in_branch = module.weight.shape[2:] == (3, 3)
        nn.init.xavier_uniform_(module.weight, sqrt(2.0) if is_in_branch else 1.0)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
