"""The projected discriminator: small heads on the features of a frozen network.

EfficientNet-Lite0's maps at four resolutions are mixed across channels, then from low to high
resolution, by fixed random convolutions; a small discriminator, a head, scores each result.

Two departures from the paper save work. Its last mix doubles the largest maps by interpolation,
which adds no information: the first head takes them as they are. And the mixing convolutions come
before the doubling, with which they commute.

Source: Sauer et al. 2021, arXiv:2111.01007, sections 3.1 to 3.3.
"""

import copy
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.dcgan import init_dcgan
from models.networks.efficientnet import efficientnet_lite0
from models.networks.fastgan import ProjectedConfig
from models.networks.resampling import bilinear_matrix, resample
from models.networks.scales import scales
from models.networks.spectral import normalize

# Layers of EfficientNet-Lite0 up to each tap, channels there, and the reduction in resolution.
TAPS = ((4, 24, 4), (6, 40, 8), (12, 112, 16), (17, 320, 32))

MIXED = (64, 128, 256, 512)  # channels of each tap once mixed across channels
PROJECTION_SEED = 0  # fixed: every discriminator has the same random projection
PIXELS_PX = 64  # the pixel discriminator sees images at this resolution at most
LOGITS = 5  # size of a head's map of logits: an 8x8 map under a 4x4 kernel
HEAD_PX = 8  # a head halves its maps until they are no larger than this


def seen_side(size_px: int) -> int:
    """Return the resolution at which the frozen network sees images.

    Below 224 px, on which it was trained, images are doubled, to between 128 and 224 px, toward
    the scale that it knows. From 256 px up they are seen as they are, since detail that is not
    seen is not learned. Never smaller than the images, so nothing aliases.
    """
    return size_px if size_px >= 256 else min(max(2 * size_px, 128), 224)


class ProjectedDiscriminator(nn.Module):
    """Images in, K raw logits per image out.

    `features` has no trained weights: a trainer computes it once a step for real images and
    once for fakes, and `score` as often as needed. `parameters()` are those of the heads; the
    random projection is in the state dict, EfficientNet-Lite0's weights are not, since they
    come from their package.
    """

    def __init__(self, config: ProjectedConfig) -> None:
        super().__init__()
        side = seen_side(scales(config.size_px)[-1])
        sides = [side // times for _, _, times in TAPS]
        self.frozen = _Frozen()
        self.projection = _Projection(sides)
        enlarging = bilinear_matrix(config.size_px, side) if side > config.size_px else None
        self.register_buffer("enlarging", enlarging, persistent=False)
        self.enlarging: Tensor | None
        inputs = [sides[0], *(2 * s for s in sides[1:])]
        channels = [MIXED[0], *MIXED[:-1]]
        most = 4 * config.width
        # Saved training states name the heads so.
        self.judges = nn.ModuleList(map(_head, channels, inputs, [most] * len(inputs)))
        if config.pixel_judge:
            self.judges.append(
                _PixelDiscriminator(min(config.size_px, PIXELS_PX), config.pixel_judge)
            )
        self.judges.apply(init_dcgan)
        normalize(self.judges)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what the heads score; differentiable with respect to the images alone.

        Args:
            images: (N, 3, H, W) in [-1, 1].

        Returns:
            (N, 64, S, S), (N, 64, S, S), (N, 128, S / 2, S / 2) and (N, 256, S / 4, S / 4),
            S being a quarter of the resolution seen, in autocast's type. With a pixel
            discriminator also the images at 64 px at most, (N, 3, P, P).
        """
        maps = self._features(images)
        if len(self.judges) > len(TAPS):
            maps.append(F.avg_pool2d(images, max(1, images.shape[2] // PIXELS_PX)))
        return maps

    def _features(self, images: Tensor) -> list[Tensor]:
        # EfficientNet-Lite's own scale: (v - 127) / 128 for v in 0 ... 255.
        scaled = images.float() * (127.5 / 128) + 0.5 / 128
        if self.enlarging is not None:
            # Under autocast these products would round the images to bf16's eight bits.
            with torch.autocast(images.device.type, enabled=False):
                scaled = self.enlarging @ scaled @ self.enlarging.T
        return self.projection(self.frozen(scaled))

    def score(self, features: list[Tensor]) -> Tensor:
        """Return (N, K) logits, equally many from each head, for what `features` returned."""
        pairs = zip(self.judges, features, strict=True)
        return torch.cat([head(maps).flatten(1) for head, maps in pairs], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits: (N, 3, H, W) in [-1, 1] to (N, K)."""
        return self.score(self.features(images))


class _PixelDiscriminator(nn.Module):
    """A plain discriminator on whole images, with as much weight as one head.

    EfficientNet's maps of a face hold fur, eyes and noses; to heads on patches five eyes look
    as good as two. This one sees the whole face in one logit.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        channels, side = width, side // 2
        while side > 4:
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels, side = 2 * channels, side // 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1, 5, 5) for (N, 3, P, P): one logit, repeated to weigh as much as a head."""
        logits: Tensor = self.layers(images)
        return logits.expand(-1, -1, LOGITS, LOGITS)


class _Frozen(nn.Module):
    """EfficientNet-Lite0 up to its last tap, with one copy of its weights per type used."""

    def __init__(self) -> None:
        super().__init__()
        network = efficientnet_lite0()
        ends = [end for end, _, _ in TAPS]
        starts = [0, *ends[:-1]]
        self.stages = nn.ModuleList(network[a:b] for a, b in zip(starts, ends, strict=True))
        # A plain dict, so that copies are not submodules. They cannot go stale: nothing is trained.
        self._copies: dict[tuple[torch.dtype, torch.device], nn.ModuleList] = {}

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        x = x.to(dtype)
        for stage in self._in(dtype, x.device):
            x = stage(x)
            maps.append(x)
        return maps

    def _in(self, dtype: torch.dtype, device: torch.device) -> nn.ModuleList:
        if dtype == torch.float32:
            return self.stages
        if (dtype, device) not in self._copies:
            self._copies[dtype, device] = copy.deepcopy(self.stages).to(dtype)
        return self._copies[dtype, device]


class _Projection(nn.Module):
    """Random mixing across channels, then across resolutions; the same in every discriminator."""

    def __init__(self, sides: list[int]) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(PROJECTION_SEED)
        narrower = [MIXED[0], *MIXED[:-1]]
        for level, (_, channels, _) in enumerate(TAPS):
            self._draw(f"across_channels{level}", channels, MIXED[level], random)
            self._draw(f"across_sides{level}", MIXED[level], narrower[level], random)
        for level, side in enumerate(sides[1:], 1):
            self.register_buffer(f"double{level}", bilinear_matrix(side, 2 * side), False)

    def _draw(self, name: str, inputs: int, outputs: int, random: torch.Generator) -> None:
        """Register a random 1x1 convolution as a buffer, which no optimizer sees."""
        weight = torch.randn(outputs, inputs, 1, 1, generator=random) * sqrt(2 / inputs)
        self.register_buffer(name, weight)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return maps mixed across channels and from low to high resolution, largest first."""
        mixed: list[Tensor] = []
        for level in reversed(range(len(TAPS))):
            x = F.conv2d(maps[level], self.get_buffer(f"across_channels{level}"))
            if mixed:
                x = x + mixed[0]
            x = F.conv2d(x, self.get_buffer(f"across_sides{level}"))
            if level:
                x = resample(x, self.get_buffer(f"double{level}"))
            mixed.insert(0, x)
        return mixed


def _head(channels: int, side: int, most: int) -> nn.Sequential:
    """Return a small discriminator on maps: one logit per 4x4 patch at its end.

    It halves maps to 8x8; those that small already pass one block that does not halve, so that
    all heads score similar patches and none is linear.
    """
    layers: list[nn.Module] = []
    while side > HEAD_PX or not layers:
        kernel, stride = (4, 2) if side > HEAD_PX else (3, 1)
        wider = min(2 * channels, most)
        layers += [
            nn.Conv2d(channels, wider, kernel, stride, 1, bias=False),
            nn.BatchNorm2d(wider),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        channels, side = wider, side // stride
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, bias=False))
