from math import sqrt

import pytest
import torch
from torch import nn

from models.errors import RecipeError
from models.networks.r3gan import R3ganConfig, R3ganDiscriminator, R3ganGenerator

CONFIG = R3ganConfig(size_px=64, z_dim=64, width=64)
CHANNELS = [512, 512, 256, 128, 64]


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _blocks() -> int:
    """Two a side: c to 2c with bias, 16 channels a group with bias, 2c to c."""
    return sum(2 * ((c * 2 * c + 2 * c) + (9 * 16 * 2 * c + 2 * c) + 2 * c * c) for c in CHANNELS)


WIDENINGS = 512 * 256 + 256 * 128 + 128 * 64


def test_channels_double_down_to_8_widths():
    """Width 96 at 256 px is the paper's network for that size."""
    assert CONFIG.channels == CHANNELS
    paper = R3ganConfig(size_px=256, z_dim=64, width=96)
    assert paper.channels == [768, 768, 768, 768, 384, 192, 96]


def test_the_pair_has_the_paper_s_parameters():
    opening = 512 * 16 + 64 * 512  # learned 4x4 maps, weighed by a linear function of the latent
    assert _parameters(R3ganGenerator(CONFIG)) == opening + _blocks() + WIDENINGS + 64 * 3
    closing = 512 * 16 + 512  # a 4x4 weight a channel, a linear logit without bias
    assert _parameters(R3ganDiscriminator(CONFIG)) == 3 * 64 + _blocks() + WIDENINGS + closing


def test_branches_start_at_zero_and_other_layers_at_a_scale_that_fits_the_depth():
    """Ten blocks: gain sqrt(2 / 1.04) x 10^(-1/4) within branches, one without leaky ReLU."""
    torch.manual_seed(0)
    discriminator = R3ganDiscriminator(CONFIG)
    deepest = discriminator.main[-4]
    weights = dict(deepest.named_parameters())
    gain = sqrt(2 / 1.04) * 10**-0.25
    assert weights["conv1.weight"].std().item() == pytest.approx(gain / sqrt(512), rel=0.05)
    assert weights["conv2.weight"].std().item() == pytest.approx(gain / sqrt(9 * 16), rel=0.05)
    assert deepest.conv2.groups == 1024 // 16
    assert weights["conv3.weight"].abs().max() == 0
    assert weights["conv1.bias"].abs().max() == 0
    closing = discriminator.main[-2].get_parameter("weight")
    assert closing.std().item() == pytest.approx(1 / sqrt(512), rel=0.1)


@pytest.mark.parametrize("width", [4, 12, 0, -8])
def test_a_width_that_does_not_fill_groups_is_refused(width):
    """Sixteen channels a group, of twice the width."""
    with pytest.raises(RecipeError, match="a multiple of 8") as caught:
        R3ganConfig(size_px=32, z_dim=8, width=width)
    assert (caught.value.field, caught.value.value) == ("width", width)


def test_pictures_are_bounded_in_eval_mode_alone():
    """The paper's generator ends linearly; what is served is in [-1, 1]."""
    torch.manual_seed(0)
    generator, z = R3ganGenerator(R3ganConfig(size_px=32, z_dim=8, width=8)), torch.randn(8, 8)
    trained, served = generator(z), generator.eval()(z)
    assert trained.abs().max() > 1
    assert torch.equal(served, trained.clamp(-1, 1))
