"""The closed form: axes of the first layer, strongest first."""

import pytest
import torch
from torch import nn

from models.directions.factorization import AXES, principal_axes
from models.networks import NETWORKS


def test_axes_are_those_that_the_layer_amplifies_most():
    """A diagonal layer's are its coordinates, by the size of their weights."""
    layer = nn.Linear(6, 6, bias=False)
    layer.weight.data = torch.diag(torch.tensor([1.0, -5.0, 2.0, 4.0, 0.5, 3.0]))
    axes = principal_axes(nn.Sequential(layer, nn.ReLU()), 6)
    assert axes.numpy() == pytest.approx(torch.eye(6)[[1, 3, 5, 2]].numpy())


def test_batch_norm_after_the_layer_counts():
    layer, norm = nn.ConvTranspose2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)
    layer.weight.data = torch.eye(3)[:, :, None, None]
    norm.weight.data = torch.tensor([1.0, 3.0, 2.0])
    axes = principal_axes(nn.Sequential(layer, norm).eval(), 3)
    assert axes.argmax(1).tolist() == [1, 2, 0]


@pytest.mark.parametrize("kind", ["dcgan", "dcgan-selu", "sngan", "projected"])
def test_networks_with_a_linear_first_layer_have_axes(kind):
    row = NETWORKS[kind]
    network = row.generator(row.config(size_px=32, z_dim=8, width=8)).eval()
    axes = principal_axes(network, 8)
    assert axes.shape == (AXES, 8)
    assert (axes @ axes.T).numpy() == pytest.approx(torch.eye(AXES).numpy(), abs=1e-5)


def test_a_network_that_starts_otherwise_has_none():
    row = NETWORKS["r3gan"]
    network = row.generator(row.config(size_px=32, z_dim=8, width=8)).eval()
    assert principal_axes(network, 8).shape == (0, 8)
