"""The DCGAN pair, layer by layer as in the 2017 cat experiments.

The number of layers follows from the size: the generator starts at 4x4 with
`width * size / 8` channels and halves them at each doubling; the discriminator
mirrors it. No biases in convolutions, batch norm everywhere but at the
discriminator's first layer and at both ends.

Source: Radford et al. 2016, arXiv:1511.06434.
"""

from dataclasses import dataclass

from torch import Tensor, nn

INIT_STD = 0.02
"""Standard deviation of the initial weights (Radford et al. 2016, section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DcganConfig:
    """What fixes the shape of a DCGAN pair.

    Attributes:
        size_px: Side of the pictures, a power of two from 8 up.
        z_dim: Length of the latent.
        width: Channels before the generator's last and after the
            discriminator's first layer.
    """

    size_px: int
    z_dim: int
    width: int


class DcganGenerator(nn.Module):
    """Latents in, pictures out.

    Args:
        config: Shape of the network.
    """

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        channels = config.width * (config.size_px // 8)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.z_dim, channels, 4, 1, 0, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        while channels > config.width:
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(inplace=True),
            ]
            channels //= 2
        layers += [nn.ConvTranspose2d(channels, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures.

        Args:
            z: (N, Z) float32.

        Returns:
            (N, 3, H, W) in [-1, 1].
        """
        return self.main(z[:, :, None, None])


class DcganDiscriminator(nn.Module):
    """Pictures in, raw logits out: higher means more real.

    Args:
        config: Shape of the network; `z_dim` is not used.
    """

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        channels, side = config.width, config.size_px // 2
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        while side > 4:
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels, side = 2 * channels, side // 2
        layers += [nn.Conv2d(channels, 1, 4, 1, 0, bias=False), nn.Flatten(0)]
        self.main = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, pictures: Tensor) -> Tensor:
        """Score pictures.

        Args:
            pictures: (N, 3, H, W) in [-1, 1].

        Returns:
            (N,) logits.
        """
        return self.main(pictures)


def init_dcgan(module: nn.Module) -> None:
    """Draw a module's weights as DCGAN does: N(0, 0.02), batch norm around one."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, INIT_STD)
        nn.init.zeros_(module.bias)
