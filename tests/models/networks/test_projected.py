from itertools import pairwise

import pytest
import torch
from torch import nn

from models.networks.efficientnet import efficientnet_lite0
from models.networks.fastgan import ProjectedConfig
from models.networks.projected import ProjectedDiscriminator, seen_side


def _discriminator(size_px: int = 32, width: int = 4) -> ProjectedDiscriminator:
    return ProjectedDiscriminator(ProjectedConfig(size_px=size_px, z_dim=8, width=width))


def test_the_judges_have_the_hand_counted_parameters_at_256_px():
    """Width 128: 4x4 convolutions to twice the channels and their norms, then one logit a patch."""
    paths = [(64, 128, 256, 512), (64, 128, 256, 512), (128, 256, 512), (256, 512)]
    expected = 0
    for path in paths:
        expected += sum(16 * a * b + 2 * b for a, b in pairwise(path))
        expected += 16 * 512
    discriminator = _discriminator(256, 128)
    assert sum(p.numel() for p in discriminator.parameters()) == expected
    assert all(p.requires_grad for p in discriminator.parameters())


@pytest.mark.parametrize(
    ("size_px", "side"), [(32, 128), (64, 128), (128, 224), (256, 256), (512, 512)]
)
def test_the_frozen_network_sees_pictures_no_smaller_than_they_are(size_px, side):
    """Twice as large, from 128 to 224 px; from 256 px up as they are."""
    assert seen_side(size_px) == side


@pytest.mark.parametrize(
    ("size_px", "maps", "logits"),
    [(64, [32, 32, 16, 8], 4 * 25), (128, [56, 56, 28, 14], 4 * 16), (256, [64, 64, 32, 16], 100)],
)
def test_judges_see_these_maps_and_give_as_many_logits_each(size_px, maps, logits):
    """Maps of 7 or 8 px before the last layer, so 16 or 25 patches a judge."""
    discriminator = _discriminator(size_px)
    with torch.no_grad():
        features = discriminator.features(torch.zeros(1, 3, size_px, size_px))
        scores = discriminator.score(features)
    assert [f.shape[1] for f in features] == [64, 64, 128, 256]
    assert [f.shape[2] for f in features] == maps
    assert scores.shape == (1, logits)


def test_the_frozen_network_sees_its_own_scale():
    """At 256 px its first maps are EfficientNet's own of (v - 127) / 128, v in 0 ... 255."""
    values = torch.randint(0, 256, (1, 3, 256, 256)).float()
    seen: list[torch.Tensor] = []
    discriminator = _discriminator(256)
    discriminator.frozen.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        discriminator.features(values / 127.5 - 1)
        expected = efficientnet_lite0()[:4]((values - 127) / 128)
        made = discriminator.frozen.stages[0](seen[0])
    assert torch.allclose(seen[0], (values - 127) / 128, atol=1e-6)
    assert torch.allclose(made, expected, atol=1e-3)


def test_pictures_are_enlarged_as_torch_does():
    pictures, seen = torch.randn(2, 3, 64, 64), list[torch.Tensor]()
    discriminator = _discriminator(64)
    discriminator.frozen.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    discriminator.features(pictures)
    large = nn.functional.interpolate(pictures, size=128, mode="bilinear", align_corners=False)
    assert torch.allclose(seen[0], large * (127.5 / 128) + 0.5 / 128, atol=1e-5)


def test_the_state_holds_the_projection_and_not_the_frozen_network():
    """The frozen weights come from their package; the projection is what was trained through."""
    names = _discriminator().state_dict()
    assert not [name for name in names if name.startswith("frozen")]
    assert len([name for name in names if name.startswith("projection.across")]) == 8
    assert not efficientnet_lite0().state_dict()


def test_every_discriminator_has_the_same_projection():
    """Whatever the seed; it is scaled to keep the variance of what passes, twofold."""
    torch.manual_seed(1)
    one = _discriminator().projection.state_dict()
    torch.manual_seed(2)
    other = _discriminator().projection.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert one["across_sides3"].std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)


def test_training_moves_the_judges_alone():
    discriminator, pictures = _discriminator(), torch.randn(2, 3, 32, 32, requires_grad=True)
    discriminator.requires_grad_(requires_grad=False)
    features = discriminator.features(pictures)
    (gradient,) = torch.autograd.grad([f.square().mean() for f in features], pictures)
    assert gradient.abs().min(0).values.max() > 0
    discriminator.requires_grad_(requires_grad=True)
    trained = [name for name, p in discriminator.named_parameters() if p.requires_grad]
    assert trained
    assert all(name.startswith("judges.") for name in trained)
    assert not any(f.requires_grad for f in discriminator.features(pictures.detach()))
    discriminator.eval()
    with torch.no_grad():
        parts = discriminator.score(discriminator.features(pictures))
        assert torch.equal(discriminator(pictures), parts), "features score as their pictures do"


def test_under_autocast_the_frozen_weights_are_cast_once():
    """The second pass finds the copy of the first; features are near float32's."""
    discriminator, pictures = _discriminator(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        exact = discriminator.features(pictures)
        with torch.autocast("cpu", torch.bfloat16):
            rough = discriminator.features(pictures)
            (first,) = discriminator.frozen._copies.values()
            discriminator.features(pictures)
    assert list(discriminator.frozen._copies.values()) == [first]
    assert {b.dtype for b in first.buffers()} == {torch.bfloat16}
    assert {b.dtype for b in discriminator.frozen.buffers()} == {torch.float32}
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.bfloat16
        assert (one - other).abs().mean() < 0.05 * one.abs().mean()
