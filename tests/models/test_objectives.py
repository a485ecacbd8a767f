from math import exp, log

import pytest
import torch

from models.objectives import CROSS_ENTROPY

REAL = torch.tensor([2.0, -1.0], requires_grad=True)
FAKE = torch.tensor([0.5, -3.0], requires_grad=True)


def _softplus(x: float) -> float:
    return log(1 + exp(x))


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_cross_entropy_of_the_discriminator_is_its_closed_form() -> None:
    """-log sigmoid(real) - log(1 - sigmoid(fake)), each a mean."""
    expected = (_softplus(-2) + _softplus(1)) / 2 + (_softplus(0.5) + _softplus(-3)) / 2
    assert CROSS_ENTROPY.discriminator(REAL, FAKE).item() == pytest.approx(expected, abs=1e-6)


def test_cross_entropy_of_the_generator_is_the_non_saturating_form() -> None:
    """-log sigmoid(fake), a mean; real logits play no part."""
    loss = CROSS_ENTROPY.generator(REAL, FAKE)
    assert loss.item() == pytest.approx((_softplus(-0.5) + _softplus(3)) / 2, abs=1e-6)
    (gradient,) = torch.autograd.grad(loss, FAKE)
    expected = [-_sigmoid(-0.5) / 2, -_sigmoid(3) / 2]
    assert gradient.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_discriminator_pushes_real_up_and_fake_down() -> None:
    """The gradients have these signs and these values."""
    loss = CROSS_ENTROPY.discriminator(REAL, FAKE)
    real, fake = torch.autograd.grad(loss, (REAL, FAKE))
    assert real.tolist() == pytest.approx([-_sigmoid(-2) / 2, -_sigmoid(1) / 2], abs=1e-6)
    assert fake.tolist() == pytest.approx([_sigmoid(0.5) / 2, _sigmoid(-3) / 2], abs=1e-6)
