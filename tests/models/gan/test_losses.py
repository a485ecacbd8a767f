from math import exp, log

import pytest
import torch

from models.gan.losses import (
    CROSS_ENTROPY,
    HINGE,
    LEAST_SQUARES,
    LEAST_SQUARES_SYMMETRIC,
    RELATIVISTIC_AVERAGE,
    RELATIVISTIC_AVERAGE_HINGE,
    RELATIVISTIC_AVERAGE_LEAST_SQUARES,
    RELATIVISTIC_PAIRING,
    WASSERSTEIN,
)

REAL = torch.tensor([2.0, -1.0], requires_grad=True)
FAKE = torch.tensor([0.5, -3.0], requires_grad=True)


def _softplus(x: float) -> float:
    return log(1 + exp(x))


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


# Closed forms at REAL and FAKE above: the loss, and its gradients by both logits, by hand.
# Means: real 0.5, fake -1.25. Relativistic averages compare with these.
HALF = 0.5
CASES = {
    "cross entropy, discriminator": (
        CROSS_ENTROPY.discriminator,
        (_softplus(-2) + _softplus(1)) / 2 + (_softplus(0.5) + _softplus(-3)) / 2,
        [-_sigmoid(-2) / 2, -_sigmoid(1) / 2],
        [_sigmoid(0.5) / 2, _sigmoid(-3) / 2],
    ),
    "cross entropy, generator, not saturating": (
        CROSS_ENTROPY.generator,
        (_softplus(-0.5) + _softplus(3)) / 2,
        [0, 0],
        [-_sigmoid(-0.5) / 2, -_sigmoid(3) / 2],
    ),
    "least squares, discriminator": (
        LEAST_SQUARES.discriminator,
        ((1 + 4) / 2 + (0.25 + 9) / 2) / 2,
        [(2 - 1) / 2, (-1 - 1) / 2],
        [0.5 / 2, -3 / 2],
    ),
    "least squares, generator": (
        LEAST_SQUARES.generator,
        (0.25 + 16) / 2 / 2,
        [0, 0],
        [(0.5 - 1) / 2, (-3 - 1) / 2],
    ),
    "symmetric least squares, discriminator": (
        LEAST_SQUARES_SYMMETRIC.discriminator,
        ((1 + 4) / 2 + (1.5**2 + 4) / 2) / 2,
        [(2 - 1) / 2, (-1 - 1) / 2],
        [1.5 / 2, -2 / 2],
    ),
    "symmetric least squares, generator": (
        LEAST_SQUARES_SYMMETRIC.generator,
        (0.25 + 9) / 2 / 2,
        [0, 0],
        [0.5 / 2, -3 / 2],
    ),
    "Wasserstein, critic": (WASSERSTEIN.discriminator, -1.25 - 0.5, [-HALF, -HALF], [HALF, HALF]),
    "Wasserstein, generator": (WASSERSTEIN.generator, 1.25, [0, 0], [-HALF, -HALF]),
    "hinge, discriminator": (
        HINGE.discriminator,
        (0 + 2) / 2 + (1.5 + 0) / 2,
        [0, -HALF],
        [HALF, 0],
    ),
    "hinge, generator": (HINGE.generator, 1.25, [0, 0], [-HALF, -HALF]),
    "relativistic average, discriminator": (
        RELATIVISTIC_AVERAGE.discriminator,
        (_softplus(-3.25) + _softplus(-0.25)) / 2 + (_softplus(0) + _softplus(-3.5)) / 2,
        [
            -_sigmoid(-3.25) / 2 - (_sigmoid(0) + _sigmoid(-3.5)) / 4,
            -_sigmoid(-0.25) / 2 - (_sigmoid(0) + _sigmoid(-3.5)) / 4,
        ],
        [
            _sigmoid(0) / 2 + (_sigmoid(-3.25) + _sigmoid(-0.25)) / 4,
            _sigmoid(-3.5) / 2 + (_sigmoid(-3.25) + _sigmoid(-0.25)) / 4,
        ],
    ),
    "relativistic average least squares, discriminator": (
        RELATIVISTIC_AVERAGE_LEAST_SQUARES.discriminator,
        ((3.25 - 1) ** 2 + (0.25 - 1) ** 2) / 2 + ((0 + 1) ** 2 + (-3.5 + 1) ** 2) / 2,
        [2.25 - (1 - 2.5) / 2, -0.75 - (1 - 2.5) / 2],
        [1 - (2.25 - 0.75) / 2, -2.5 - (2.25 - 0.75) / 2],
    ),
    "relativistic average hinge, discriminator": (
        RELATIVISTIC_AVERAGE_HINGE.discriminator,
        (0 + 0.75) / 2 + (1 + 0) / 2,
        [0 - 0.25, -HALF - 0.25],
        [HALF + 0.25, 0 + 0.25],
    ),
    "relativistic pairing, discriminator": (
        RELATIVISTIC_PAIRING.discriminator,
        (_softplus(-1.5) + _softplus(-2)) / 2,
        [-_sigmoid(-1.5) / 2, -_sigmoid(-2) / 2],
        [_sigmoid(-1.5) / 2, _sigmoid(-2) / 2],
    ),
    "relativistic pairing, generator": (
        RELATIVISTIC_PAIRING.generator,
        (_softplus(1.5) + _softplus(2)) / 2,
        [_sigmoid(1.5) / 2, _sigmoid(2) / 2],
        [-_sigmoid(1.5) / 2, -_sigmoid(2) / 2],
    ),
}


@pytest.mark.parametrize(("loss", "value", "by_real", "by_fake"), CASES.values(), ids=CASES.keys())
def test_a_loss_and_its_gradients_are_the_closed_form(loss, value, by_real, by_fake):
    """Each by hand, from the paper's equation."""
    found = loss(REAL, FAKE)
    assert found.item() == pytest.approx(value, abs=1e-6)
    gradients = torch.autograd.grad(found, (REAL, FAKE), allow_unused=True)
    for gradient, expected in zip(gradients, (by_real, by_fake), strict=True):
        values = [0.0, 0.0] if gradient is None else gradient.tolist()
        assert values == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "objective",
    [RELATIVISTIC_AVERAGE, RELATIVISTIC_AVERAGE_LEAST_SQUARES, RELATIVISTIC_AVERAGE_HINGE],
)
def test_a_relativistic_generator_plays_the_discriminator_s_part_with_roles_changed(objective):
    """The papers' generator losses are the discriminators', real and made pictures swapped."""
    swapped = objective.discriminator(FAKE, REAL)
    assert objective.generator(REAL, FAKE).item() == pytest.approx(swapped.item(), abs=1e-6)
    assert objective.is_relativistic


def test_patches_count_like_pictures():
    """Logits of shape (N, K) give the mean over all of them, the hinge taken patch by patch."""
    real, fake = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, -3.0]])
    assert HINGE.discriminator(real, fake).item() == pytest.approx(1.75, abs=1e-6)


def test_guessing_costs_what_the_papers_say():
    """The discriminator's loss at logits of zero, which the watch compares with."""
    assert CROSS_ENTROPY.chance == pytest.approx(2 * log(2), abs=1e-6)
    assert LEAST_SQUARES.chance == pytest.approx(0.5)
    assert HINGE.chance == pytest.approx(2)
    assert RELATIVISTIC_PAIRING.chance == pytest.approx(log(2), abs=1e-6)
    assert WASSERSTEIN.chance == 0
