"""The one table of optimizers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from models.hyperparameters import Settings

Build = Callable[[nn.Module, float, Settings, bool], Optimizer]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerKind:
    """One optimizer.

    Attributes:
        hyperparameters: What it reads beside its learning rate.
        build: From module, learning rate, settings, and whether a CUDA graph will capture it.
    """

    hyperparameters: tuple[str, ...]
    build: Build


def adam(module: nn.Module, lr: float, settings: Settings, is_captured: bool) -> Optimizer:
    """Return Adam over a module's parameters.

    Source: Kingma and Ba 2015, arXiv:1412.6980.
    """
    betas = (settings.beta1 or 0.0, settings.beta2)
    # Fused: one kernel for all weights. Capturable keeps the step count on the GPU: reading
    # it back would end a CUDA graph's capture.
    parameters = module.parameters()
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True, capturable=is_captured)


def rmsprop(module: nn.Module, lr: float, settings: Settings, is_captured: bool) -> Optimizer:
    """Return RMSprop over a module's parameters; its decay is `beta2`.

    Source: Hinton 2012, "Neural networks for machine learning", lecture 6e.
    """
    return torch.optim.RMSprop(
        module.parameters(), lr=lr, alpha=settings.beta2, foreach=True, capturable=is_captured
    )


OPTIMIZERS: Mapping[str, OptimizerKind] = {
    "adam": OptimizerKind(hyperparameters=("beta1", "beta2"), build=adam),
    "rmsprop": OptimizerKind(hyperparameters=("beta2",), build=rmsprop),
}
