from itertools import pairwise

import pytest
import torch
from torch import nn

from models.networks.dcgan import (
    INIT_STD,
    DcganConfig,
    DcganDiscriminator,
    DcganGenerator,
    PlainCritic,
    SeluDiscriminator,
    SeluGenerator,
    init_lecun,
)


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_pair_has_the_original_s_parameter_count_at_64_px():
    """Width 128, latent 100: counted by hand from the original script's layers."""
    config = DcganConfig(size_px=64, z_dim=100, width=128)
    channels = [1024, 512, 256, 128]
    pairs = list(pairwise(channels))
    middle = sum(16 * a * b for a, b in pairs)
    norms = 2 * sum(channels)
    assert _parameters(DcganGenerator(config)) == 100 * 1024 * 16 + middle + 128 * 3 * 16 + norms
    norms = 2 * sum(channels[:-1])
    plain = 3 * 128 * 16 + middle + 1024 * 16
    assert _parameters(DcganDiscriminator(config)) == plain + norms
    assert _parameters(PlainCritic(config)) == plain
    # The SELU pair of width 64 at 128 px: the original's layers, nothing to normalize.
    config = DcganConfig(size_px=128, z_dim=100, width=64)
    middle = sum(16 * a * b for a, b in pairwise([1024, 512, 256, 128, 64]))
    assert _parameters(SeluGenerator(config)) == 100 * 1024 * 16 + middle + 64 * 3 * 16
    assert _parameters(SeluDiscriminator(config)) == 3 * 64 * 16 + middle + 1024 * 16


def test_weights_start_as_in_the_original():
    """Convolutions N(0, 0.02), batch norm scales around one, shifts zero, no other biases."""
    torch.manual_seed(0)
    generator = DcganGenerator(DcganConfig(size_px=64, z_dim=100, width=32))
    for module in generator.modules():
        if isinstance(module, nn.ConvTranspose2d):
            assert module.bias is None
            assert module.get_parameter("weight").std().item() == pytest.approx(INIT_STD, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert module.bias.abs().max() == 0


@pytest.mark.parametrize("build", [SeluDiscriminator, PlainCritic])
def test_a_critic_without_norms_scores_each_picture_alone(build):
    """The gradient of one logit reaches its own picture and no other."""
    pictures = torch.randn(3, 3, 32, 32, requires_grad=True)
    logits = build(DcganConfig(size_px=32, z_dim=8, width=4))(pictures)
    (gradient,) = torch.autograd.grad(logits[0], pictures)
    assert gradient[0].abs().max() > 0
    assert gradient[1:].abs().max() == 0


def test_lecun_weights_have_the_fan_in_that_an_output_sees():
    """1 / sqrt(latent) at the opening, 1 / sqrt(4 channels) of 4x4 stride two, all of a kernel."""
    torch.manual_seed(0)
    config = DcganConfig(size_px=64, z_dim=100, width=32)
    generator = SeluGenerator(config).apply(init_lecun)
    discriminator = SeluDiscriminator(config).apply(init_lecun)
    seen = {
        generator.main[0]: 100,
        generator.main[2]: 256 * 4,
        generator.main[8]: 32 * 4,
        discriminator.main[0]: 3 * 16,
        discriminator.main[2]: 32 * 16,
    }
    for module, fan_in in seen.items():
        assert module.get_parameter("weight").std().item() == pytest.approx(fan_in**-0.5, rel=0.05)


def test_lecun_weights_keep_a_signal_alive_through_selu_and_the_original_s_do_not():
    """Variance before the last layer: near one with LeCun's start, far below with 0.02."""
    torch.manual_seed(0)
    generator = SeluGenerator(DcganConfig(size_px=64, z_dim=100, width=64))
    z = torch.randn(16, 100)[:, :, None, None]
    with torch.no_grad():
        original = generator.main[:-2](z).var().item()
        lecun = generator.apply(init_lecun).main[:-2](z).var().item()
    assert 0 < original < 0.05
    assert 0.5 < lecun < 1.5
