"""The DCGAN pair, layer by layer as in the 2017 cat experiments, and its two variants.

The depth follows from the resolution: the generator starts at 4x4 with `width * size / 8`
channels and halves them at each doubling; the discriminator mirrors it. Convolutions have no
bias; batch norm follows all but the discriminator's first and both last ones. The variants
replace what follows a convolution: SELU alone, or no batch norm in the critic.

Source: Radford et al. 2016, arXiv:1511.06434.
"""

from dataclasses import dataclass

from torch import Tensor, nn

INIT_STD = 0.02  # of the initial weights (Radford et al. 2016, section 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcganConfig:
    """What fixes the shape of a DCGAN pair.

    Attributes:
        size_px: Image resolution, a power of two from 8 up.
        z_dim: Length of the latent.
        width: Channels before the generator's last and after the
            discriminator's first layer.
    """

    size_px: int
    z_dim: int
    width: int


class DcganGenerator(nn.Module):
    """Latents in, images out."""

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        channels = config.width * (config.size_px // 8)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.z_dim, channels, 4, 1, 0, bias=False),
            *self.after_convolution(channels),
        ]
        while channels > config.width:
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False),
                *self.after_convolution(channels // 2),
            ]
            channels //= 2
        layers += [nn.ConvTranspose2d(channels, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images: (N, Z) float32 to (N, 3, H, W) in [-1, 1]."""
        return self.main(z[:, :, None, None])

    def after_convolution(self, channels: int) -> list[nn.Module]:
        """Return the layers between a convolution and the next."""
        return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class DcganDiscriminator(nn.Module):
    """Images in, raw logits out: higher means more real. `config.z_dim` is not used."""

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        channels, side = config.width, config.size_px // 2
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, 4, 2, 1, bias=False),
            *self.after_convolution(channels, is_first=True),
        ]
        while side > 4:
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                *self.after_convolution(2 * channels, is_first=False),
            ]
            channels, side = 2 * channels, side // 2
        # No sigmoid: the losses take logits.
        layers += [nn.Conv2d(channels, 1, 4, 1, 0, bias=False), nn.Flatten(0)]
        self.main = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits: (N, 3, H, W) in [-1, 1] to (N,)."""
        return self.main(images)

    def after_convolution(self, channels: int, *, is_first: bool) -> list[nn.Module]:
        """Return the layers between a convolution and the next."""
        norm = [] if is_first else [nn.BatchNorm2d(channels)]
        return [*norm, nn.LeakyReLU(0.2, inplace=True)]


class SeluGenerator(DcganGenerator):
    """The DCGAN generator with SELU in place of batch norm and ReLU.

    Its weights start at N(0, 0.02), as in the 2017 experiments; `init_lecun` is the
    initialization that SELU was designed for.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """

    def after_convolution(self, channels: int) -> list[nn.Module]:  # noqa: ARG002 - no norm
        """Return the layers between a convolution and the next."""
        return [nn.SELU(inplace=True)]


class SeluDiscriminator(DcganDiscriminator):
    """The DCGAN discriminator with SELU in place of batch norm and leaky ReLU.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """

    def after_convolution(self, channels: int, *, is_first: bool) -> list[nn.Module]:  # noqa: ARG002
        """Return the layers between a convolution and the next."""
        return [nn.SELU(inplace=True)]


class PlainCritic(DcganDiscriminator):
    """The DCGAN discriminator without batch norm, so that no logit depends on another image.

    A penalty on each logit's gradient with respect to its own image needs that.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, section 4.
    """

    def after_convolution(self, channels: int, *, is_first: bool) -> list[nn.Module]:  # noqa: ARG002
        """Return the layers between a convolution and the next."""
        return [nn.LeakyReLU(0.2, inplace=True)]


def init_dcgan(module: nn.Module) -> None:
    """Draw a module's weights as DCGAN does: N(0, 0.02), batch norm around one."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, INIT_STD)
        nn.init.zeros_(module.bias)


def init_lecun(module: nn.Module) -> None:
    """Draw a convolution's weights from N(0, 1 / fan-in), which SELU keeps at unit variance.

    The fan-in counts the weights that reach one output. Of a transposed convolution's
    kernel that is one in stride^2, so kernel^2 / stride^2 per channel; and where its input is
    a single pixel (no padding), one per channel.

    Source: Klambauer et al. 2017, arXiv:1706.02515, section 2, "Initialization".
    """
    if isinstance(module, nn.ConvTranspose2d):
        taps = (module.kernel_size[0] // module.stride[0]) ** 2 if module.padding[0] else 1
        nn.init.normal_(module.weight, 0.0, (module.in_channels * taps) ** -0.5)
    elif isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, module.weight[0].numel() ** -0.5)
