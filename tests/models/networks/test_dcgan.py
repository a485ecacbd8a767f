from itertools import pairwise

import pytest
import torch
from torch import nn

from models.networks.dcgan import INIT_STD, DcganConfig, DcganDiscriminator, DcganGenerator


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_pair_has_the_original_s_parameter_count_at_64_px() -> None:
    """Width 128, latent 100: counted by hand from the original script's layers."""
    config = DcganConfig(size_px=64, z_dim=100, width=128)
    channels = [1024, 512, 256, 128]
    pairs = list(pairwise(channels))
    middle = sum(16 * a * b for a, b in pairs)
    norms = 2 * sum(channels)
    assert _parameters(DcganGenerator(config)) == 100 * 1024 * 16 + middle + 128 * 3 * 16 + norms
    norms = 2 * sum(channels[:-1])
    assert _parameters(DcganDiscriminator(config)) == 3 * 128 * 16 + middle + 1024 * 16 + norms


@pytest.mark.parametrize("size_px", [32, 64, 128])
def test_shapes_follow_the_size(size_px: int) -> None:
    """Latents become pictures in [-1, 1], pictures become one logit each."""
    config = DcganConfig(size_px=size_px, z_dim=10, width=4)
    pictures = DcganGenerator(config)(torch.randn(3, 10))
    assert pictures.shape == (3, 3, size_px, size_px)
    assert pictures.abs().max() <= 1
    assert DcganDiscriminator(config)(pictures).shape == (3,)


def test_weights_start_as_in_the_original() -> None:
    """Convolutions N(0, 0.02), batch norm scales around one, shifts zero, no other biases."""
    torch.manual_seed(0)
    generator = DcganGenerator(DcganConfig(size_px=64, z_dim=100, width=32))
    for module in generator.modules():
        if isinstance(module, nn.ConvTranspose2d):
            assert module.bias is None
            assert module.weight.std().item() == pytest.approx(INIT_STD, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert module.bias.abs().max() == 0
