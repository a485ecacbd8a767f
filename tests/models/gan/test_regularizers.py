"""Penalties by hand: a critic whose gradients are known everywhere."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.errors import RecipeError
from models.gan.losses import WASSERSTEIN
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES, recipe
from models.gan.regularizers import (
    GRADIENT_PENALTY,
    ZERO_CENTERED,
    CriticPass,
    clip_weights,
    gradient_penalty,
    zero_centered_penalty,
)
from models.hyperparameters import Settings

SLOPE = 0.25


def _settings(name: str, **overrides: object) -> Settings:
    return recipe(name).with_overrides(overrides)


def _pass(score: nn.Module | None = None, slope: Tensor | None = None) -> CriticPass:
    """One update's pass over 2 x 2 pictures; the critic is slope * sum(x) or sum(x**2) / 2."""
    real = torch.full((2, 3, 2, 2), 0.5).requires_grad_()
    fake = torch.full((2, 3, 2, 2), -1.0).requires_grad_()
    factor = torch.tensor(SLOPE) if slope is None else slope

    def critic(x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1) * factor / 2

    return CriticPass(
        real=real, fake=fake, logits_real=critic(real), logits_fake=critic(fake), score=critic
    )


def _scored_by(critic: Callable[[Tensor], Tensor]) -> CriticPass:
    real, fake = _pass().real.detach(), _pass().fake.detach()
    return CriticPass(
        real=real, fake=fake, logits_real=critic(real), logits_fake=critic(fake), score=critic
    )


def test_r1_and_r2_are_half_the_squared_gradient_norms():
    """The critic slope * |x|^2 / 2 has gradient slope * x: 12 values of 0.5, of -1.

    They reach the critic's weights: the derivative of slope^2 is 2 * slope.
    """
    at_real = 2 / 2 * 12 * (SLOPE * 0.5) ** 2
    at_fake = 4 / 2 * 12 * (SLOPE * 1.0) ** 2
    slope = torch.tensor(SLOPE, requires_grad=True)
    penalty = zero_centered_penalty(_pass(slope=slope), _settings("r3gan", r1=2.0, r2=4.0))
    assert penalty.item() == pytest.approx(at_real + at_fake, rel=1e-6)
    (gradient,) = torch.autograd.grad(penalty, slope)
    assert gradient.item() == pytest.approx(2 * penalty.item() / SLOPE, rel=1e-6)


def test_the_gradient_penalty_is_the_squared_distance_of_the_norm_from_one():
    """A linear critic has the same gradient wherever it is looked at: |slope| * sqrt(12)."""
    slope = torch.tensor(SLOPE, requires_grad=True)

    def critic(x):
        return x.flatten(1).sum(1) * slope

    penalty = gradient_penalty(_scored_by(critic), _settings("wgan-gp"))
    norm = SLOPE * 12**0.5
    assert penalty.item() == pytest.approx(10 * (norm - 1) ** 2, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, slope)
    assert gradient.item() == pytest.approx(20 * (norm - 1) * 12**0.5, rel=1e-5)


def test_the_gradient_penalty_looks_between_real_and_made_pictures():
    """Every picture it scores lies on the line between its two, at a place of its own."""
    seen: list[Tensor] = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    gradient_penalty(_scored_by(critic), _settings("wgan-gp"))
    shares = (0.5 - seen[-1]) / 1.5
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert torch.allclose(shares, shares[:, :1, :1, :1].expand_as(shares), atol=1e-6)
    assert shares[0, 0, 0, 0] != shares[1, 0, 0, 0]


def test_clipping_keeps_every_weight_near_zero():
    critic = nn.Linear(3, 1)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[-5.0, 0.005, 0.02]]))
    clip_weights(critic, _settings("wgan"))
    assert critic.weight.tolist() == [pytest.approx([-0.01, 0.005, 0.01])]
    assert critic.bias.abs().max() <= 0.01


@pytest.mark.parametrize("regularizer", [GRADIENT_PENALTY, ZERO_CENTERED])
def test_a_per_sample_penalty_and_batch_norm_do_not_go_together(regularizer):
    """With it the gradient of one logit would reach the other pictures."""
    row = RECIPES["dcgan"]
    with pytest.raises(RecipeError, match="without batch norm"):
        Recipe(
            name="nonsense", title="", source="", network=row.network, objective=WASSERSTEIN,
            regularizer=regularizer, sizes_px=(64,), settings=row.settings,
        )  # fmt: skip


def test_a_number_that_no_part_reads_is_refused():
    row = RECIPES["dcgan"]
    for settings in (_settings("wgan"), _settings("r3gan")):
        with pytest.raises(RecipeError, match="exactly the hyperparameters"):
            Recipe(
                name="nonsense", title="", source="", network=row.network,
                objective=row.objective, sizes_px=(64,), settings=settings,
            )  # fmt: skip
