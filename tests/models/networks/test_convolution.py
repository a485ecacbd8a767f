import pytest
import torch
from torch import nn

from models.networks.convolution import PenalizedConv2d


@pytest.mark.parametrize(("kernel", "padding", "groups"), [(1, 0, 1), (3, 1, 2), (4, 0, 4)])
def test_first_and_second_derivatives_are_right(kernel, padding, groups):
    """Checked against finite differences in float64, by input, weight and bias."""
    torch.manual_seed(0)
    module = PenalizedConv2d(4, 4, kernel, padding=padding, groups=groups).double()
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    inputs = (x, *module.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: module(x), inputs)
    assert torch.autograd.gradgradcheck(lambda x, *_: module(x), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_torch_s_convolution(dtype):
    torch.manual_seed(0)
    ours = PenalizedConv2d(4, 8, 3, padding=1, groups=2)
    torchs = nn.Conv2d(4, 8, 3, padding=1, groups=2)
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 5, 5)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        made, expected = ours(x), torchs(x)
    assert made.dtype == expected.dtype == dtype
    assert torch.allclose(made, expected, atol=1e-6 if dtype == torch.float32 else 2e-2)
