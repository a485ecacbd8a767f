"""Regularizers of a discriminator, as plain functions.

A penalty is added to its loss; a constraint is applied to its weights after each update.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.hyperparameters import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticPass:
    """What a discriminator update has computed already.

    Attributes:
        real: (N, 3, H, W) float32 in [-1, 1], as the discriminator saw them.
        fake: The same of generated images, without their graph.
        logits_real: Its logits, with a graph to the weights (and, where the
            regularizer `needs_input_grad`, to the images).
        logits_fake: The same of generated images.
        score: The discriminator, in the trainer's precision, logits in float32.
    """

    real: Tensor
    fake: Tensor
    logits_real: Tensor
    logits_fake: Tensor
    score: Callable[[Tensor], Tensor]


Penalty = Callable[[CriticPass, Settings], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularizer:
    """How a discriminator is regularized.

    Attributes:
        hyperparameters: What it reads of the settings.
        needs_input_grad: Whether the update's own logits need a graph to their images.
        is_per_sample: Whether its penalty differentiates each logit by its own image, which
            batch norm in the discriminator would make meaningless.
        penalty: Scalar to add to the discriminator's loss, weight included.
        constrain: Changes the weights in place after an update.
    """

    hyperparameters: tuple[str, ...] = ()
    needs_input_grad: bool = False
    is_per_sample: bool = False
    penalty: Penalty | None = None
    constrain: Callable[[nn.Module, Settings], None] | None = None


def gradient_penalty(critic: CriticPass, settings: Settings) -> Tensor:
    """Penalize gradients whose norm is not one, between real and generated images.

    The weight, `settings.penalty`, is 10 in the paper.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.
    """
    # One share per pair: the paper samples along straight lines between real and fake. Their
    # logits need a forward pass of their own, unlike those of the zero-centered penalties.
    share = torch.rand(len(critic.real), 1, 1, 1, device=critic.real.device)
    between = torch.lerp(critic.real, critic.fake, share).requires_grad_()
    norms = _input_gradients(critic.score(between), between).norm(dim=1)
    return _given(settings.penalty) * (norms - 1).square().mean()


def zero_centered_penalty(critic: CriticPass, settings: Settings) -> Tensor:
    """Penalize gradients at real images (R1) and at fakes (R2), each by half its gamma.

    Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 9 and 10; both together,
    Huang et al. 2024, arXiv:2501.05441, eq. 5.
    """
    r1 = _input_gradients(critic.logits_real, critic.real).square().sum(1).mean()
    r2 = _input_gradients(critic.logits_fake, critic.fake).square().sum(1).mean()
    return _given(settings.r1) / 2 * r1 + _given(settings.r2) / 2 * r2


@torch.no_grad()
def clip_weights(discriminator: nn.Module, settings: Settings) -> None:
    """Keep every weight within `clip` of zero.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    limit = _given(settings.clip)
    parameters: list[Tensor] = list(discriminator.parameters())
    # foreach: one kernel for many tensors, where a loop would launch one for each.
    torch._foreach_clamp_min_(parameters, -limit)
    torch._foreach_clamp_max_(parameters, limit)


def _input_gradients(logits: Tensor, images: Tensor) -> Tensor:
    """Return each logit's gradient by its image, (N, 3 H W) float32, with a graph."""
    # The sum's gradient is each logit's own only where no logit depends on another image.
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.float().flatten(1)


def _given(number: float | None) -> float:
    """Return a setting that the recipe was checked to have."""
    return 0.0 if number is None else number


NONE = Regularizer()
CLIP = Regularizer(hyperparameters=("clip",), constrain=clip_weights)
GRADIENT_PENALTY = Regularizer(
    hyperparameters=("penalty",), is_per_sample=True, penalty=gradient_penalty
)
ZERO_CENTERED = Regularizer(
    hyperparameters=("r1", "r2"),
    needs_input_grad=True,
    is_per_sample=True,
    penalty=zero_centered_penalty,
)
