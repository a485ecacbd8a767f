"""Unnamed directions in closed form: what the first layer amplifies most.

Source: Shen and Zhou 2021, arXiv:2007.06600 (SeFa), with batch norm folded into the layer.
"""

import torch
from torch import Tensor, nn

AXES = 4
NAMES = "abcd"  # single letters: whoever uses them has to look at what they do


def principal_axes(network: nn.Module, z_dim: int) -> Tensor:
    """Return the strongest right singular vectors of the first layer, (K, Z) unit rows.

    There are none for a network that does not start with a linear layer that is known here.
    """
    matrix = _first_matrix(network, z_dim)
    if matrix is None:
        return torch.empty(0, z_dim)
    _, vectors = torch.linalg.eigh(matrix.double() @ matrix.double().T)
    axes = vectors.T.flip(0)[:AXES]
    # An eigenvector's sign is arbitrary: the largest number is positive.
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return (axes * largest.sign()).float()


def _first_matrix(network: nn.Module, z_dim: int) -> Tensor | None:
    """Return the weights from a latent to the first maps, (Z, P)."""
    layers = list(network.modules())
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.ConvTranspose2d) and layer.in_channels == z_dim:
            weight = layer.weight.detach()  # (Z, D, 4, 4)
            if isinstance(following, nn.BatchNorm2d):
                weight = weight * _scale(following)[None, :, None, None]
            return weight.flatten(1)
        if isinstance(layer, nn.Linear) and layer.in_features == z_dim:
            return layer.weight.detach().T
        if isinstance(layer, nn.Conv2d):
            return None
    return None


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    assert norm.running_var is not None  # noqa: S101 - batch norm in eval mode has one
    return (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
