"""Spectral norm: weights divided by their largest singular value, in training and for good.

A generator trained with it is built plain, normalized by `normalize`, and served as `folded`
leaves it: plain again, the division carried out. The moving average is of the weights before
the division, then folded.

Source: Miyato et al. 2018, arXiv:1802.05957.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

NORMALIZED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

# Smaller dimension of a weight, as a matrix, up to which its whole spectrum is computed.
EXACT_UP_TO = 512

STEPS = 64  # of Lanczos: finds the top of random and of trained spectra to 1e-6

M = TypeVar("M", bound=nn.Module)


class SpectralNorm(parametrizations._SpectralNorm):
    """Torch's spectral norm, one power iteration a step, in float32 under autocast too."""

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight over the current estimate of its largest singular value."""
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def normalize(module: M) -> M:
    """Give every convolution and linear layer spectral norm; return the module."""
    for layer in list(module.modules()):
        if isinstance(layer, NORMALIZED):
            norm = SpectralNorm(layer.weight.detach(), dim=_output_axis(layer))
            parametrize.register_parametrization(layer, "weight", norm)
    return module


@torch.no_grad()
def folded(module: M) -> M:
    """Return a plain copy: every normalized weight over its exact largest singular value."""
    plain = copy.deepcopy(module)
    for layer in list(plain.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            _fold(layer)
    return plain


def _fold(layer: nn.Module) -> None:
    # Not `remove_parametrizations`: it edits the class, which a copy shares with its original.
    weight = layer.get_parameter("parametrizations.weight.original")
    layer.__class__ = parametrize.type_before_parametrizations(layer)
    del layer.parametrizations
    largest = _largest_singular_value(weight.movedim(_output_axis(layer), 0))
    layer.weight = nn.Parameter(weight / largest, weight.requires_grad)


def _output_axis(layer: nn.Module) -> int:
    return 1 if isinstance(layer, nn.ConvTranspose2d) else 0


def _largest_singular_value(weight: Tensor) -> Tensor:
    """Return it, scalar; exactly for small weights, by Lanczos's method for large ones."""
    matrix = weight.flatten(1).double()
    matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    exact = len(matrix) <= EXACT_UP_TO
    projected = matrix @ matrix.T if exact else _lanczos(matrix)
    return torch.linalg.eigvalsh(projected)[-1].sqrt().to(weight.dtype)


def _lanczos(matrix: Tensor) -> Tensor:
    """Project an (M, N) matrix's Gram matrix to a Krylov space, (STEPS, STEPS) float64.

    For its top eigenvalue: full decompositions of a large network take a minute on a CPU.

    Source: Lanczos 1950, "An iteration method for the solution of the eigenvalue problem".
    """
    # A fixed start: equal weights must fold to equal bytes, and so to one version id.
    start = torch.ones(len(matrix), dtype=matrix.dtype, device=matrix.device)
    basis = [start / start.norm()]
    for _ in range(STEPS - 1):
        vector = matrix @ (matrix.T @ basis[-1])
        known = torch.stack(basis)
        # Rounding spoils one Gram-Schmidt pass; a second is known to be enough.
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        basis.append(vector / vector.norm().clamp_min(1e-30))
    rows = torch.stack(basis) @ matrix
    return rows @ rows.T
