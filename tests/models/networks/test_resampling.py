import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.resampling import (
    DownsampledConv2d,
    UpsampledConv2d,
    bilinear_matrix,
    resample,
    smooth_down_matrix,
    smooth_up_matrix,
)


def test_matrices_have_the_hand_computed_entries():
    """Quarters between half-pixel centers; [1, 3, 3, 1] / 8 with zeros beyond the border."""
    assert bilinear_matrix(2, 4).tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    assert (8 * smooth_down_matrix(4)).tolist() == [[3, 3, 1, 0], [0, 1, 3, 3]]
    assert (4 * smooth_up_matrix(2)).tolist() == [[3, 0], [3, 1], [1, 3], [0, 3]]


def test_resampling_agrees_with_torch_s_interpolation():
    maps = torch.randn(2, 5, 8, 8)
    expected = F.interpolate(maps, size=14, mode="bilinear", align_corners=False)
    for layout in (torch.contiguous_format, torch.channels_last):
        made = resample(maps.contiguous(memory_format=layout), bilinear_matrix(8, 14))
        assert torch.allclose(made, expected, atol=1e-6)
        assert made.is_contiguous(memory_format=torch.channels_last)


def test_a_smooth_doubling_keeps_the_mean_of_what_is_far_from_the_border():
    """A pixel becomes [1, 3, 3, 1] / 4 along each axis."""
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 1] = 1
    made = resample(maps, smooth_up_matrix(4))[0, 0]
    taps = torch.tensor([1.0, 3, 3, 1]) / 4
    assert torch.equal(made[1:5, 1:5], taps[:, None] * taps)
    assert made.sum() == 4


def _plain_up(module: UpsampledConv2d, x: Tensor) -> Tensor:
    doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.conv2d(doubled, module.weight, module.bias, padding=1)


@pytest.mark.parametrize("side", [4, 8, 16])
@pytest.mark.parametrize("is_training", [True, False])
def test_a_merged_doubling_is_the_plain_one(side, is_training):
    """Values, and gradients by input and by weight, borders included."""
    torch.manual_seed(0)
    module = UpsampledConv2d(5, 7).train(is_training)
    x = torch.randn(2, 5, side, side, requires_grad=True)
    made, expected = module(x), _plain_up(module, x)
    assert torch.allclose(made, expected, atol=1e-5)
    weights = torch.randn_like(made)
    inputs = (x, module.weight)
    ours, plain = (torch.autograd.grad((y * weights).sum(), inputs) for y in (made, expected))
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-3, rtol=1e-4)


def test_a_merged_halving_is_the_plain_one():
    """Convolution, then means of 2x2."""
    torch.manual_seed(0)
    module, x = DownsampledConv2d(5, 7), torch.randn(2, 5, 8, 8)
    expected = F.avg_pool2d(F.conv2d(x, module.weight, module.bias, padding=1), 2)
    assert torch.allclose(module(x), expected, atol=1e-5)


def test_merged_convolutions_keep_their_weights_under_plain_names():
    assert sorted(UpsampledConv2d(2, 3).state_dict()) == ["bias", "weight"]
    assert sorted(DownsampledConv2d(2, 3).state_dict()) == ["bias", "weight"]
