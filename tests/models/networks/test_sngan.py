from itertools import pairwise

import pytest
import torch
from torch import nn

from models.networks.sngan import SnganConfig, SnganDiscriminator, SnganGenerator

CONFIG = SnganConfig(size_px=64, z_dim=128, width=64)


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_channels_double_down_to_16_widths():
    """At 128 px they are the paper's ImageNet table: 1024, 1024, 512, 256, 128, 64."""
    assert CONFIG.channels == [1024, 512, 256, 128, 64]
    paper = SnganConfig(size_px=128, z_dim=128, width=64)
    assert paper.channels == [1024, 1024, 512, 256, 128, 64]


def test_the_pair_has_the_table_s_parameters():
    blocks = sum(
        2 * a + (9 * a * b + b) + 2 * b + (9 * b * b + b) + (a * b + b)
        for a, b in pairwise([1024, 512, 256, 128, 64])
    )
    opening, closing = (128 + 1) * 1024 * 16, 2 * 64 + 9 * 64 * 3 + 3  # linear; norm, convolution
    assert _parameters(SnganGenerator(CONFIG)) == opening + blocks + closing
    # A first block from three colors, three that halve, one that does not, a linear logit.
    first = (9 * 3 * 64 + 64) + (9 * 64 * 64 + 64) + (3 * 64 + 64)
    blocks = sum(
        (9 * a * a + a) + (9 * a * b + b) + (a * b + b)
        for a, b in pairwise([64, 128, 256, 512, 1024])
    )
    assert _parameters(SnganDiscriminator(CONFIG)) == first + blocks + 1024 + 1


def test_a_last_block_that_does_not_widen_has_no_shortcut_weights():
    """At 128 px the last two sides have 16 widths each."""
    discriminator = SnganDiscriminator(SnganConfig(size_px=128, z_dim=8, width=2))
    assert isinstance(discriminator.blocks[-1].shortcut, nn.Identity)


def test_every_layer_of_the_discriminator_has_spectral_norm():
    """Largest singular values are one, the power iteration having been started well."""
    discriminator = SnganDiscriminator(SnganConfig(size_px=32, z_dim=8, width=4))
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for _ in range(100):
            discriminator(pictures)
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 3 * 4 + 1
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()
        assert largest == pytest.approx(1.0, abs=1e-2)
