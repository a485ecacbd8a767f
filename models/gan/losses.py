"""The losses of discriminator and generator, as pairs of plain functions.

Each function takes `(real, fake)` logits in float32, higher meaning more real, and returns a
mean-reduced scalar. Logits are (N,), or (N, K) from a discriminator that scores K patches of
an image: each patch then counts as an image of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """A pair of losses.

    Attributes:
        discriminator: Loss of the discriminator.
        generator: Loss of the generator.
        is_relativistic: Whether the generator's loss depends on real logits too; if not,
            its step does not score real images.
    """

    discriminator: Loss
    generator: Loss
    is_relativistic: bool = False

    @property
    def chance(self) -> float:
        """The discriminator's loss at logits of zero, where it cannot tell real from fake."""
        nothing = torch.zeros(1)
        return float(self.discriminator(nothing, nothing))


# Discriminators have no sigmoid: cross-entropy of a sigmoid is softplus of the logit, which
# neither overflows nor loses the gradient of confident logits to rounding.
def cross_entropy_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as 0 by cross-entropy.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def cross_entropy_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Have fakes scored as 1 (the non-saturating form).

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as 0 by squared distance.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 9.
    """
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Have fakes scored as 1.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 9.
    """
    return (fake - 1).square().mean() / 2


def least_squares_symmetric_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as -1 by squared distance.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 8 (a = -1, b = 1, c = 0).
    """
    return ((real - 1).square().mean() + (fake + 1).square().mean()) / 2


def least_squares_symmetric_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Have fakes scored as 0, in the middle; this pair minimizes Pearson's chi-squared.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 8.
    """
    return fake.square().mean() / 2


# No sigmoid and no bound: what keeps the critic finite is its regularizer.
def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Drive the mean scores of real images and fakes apart.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    return fake.mean() - real.mean()


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Raise the mean score of fakes.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images above 1 and fakes below -1; scores beyond the margin do not count.

    Source: Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16.
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


def _relativistic_average(discriminator: Loss) -> Objective:
    """Return a relativistic average pair: the generator's loss is its opponent's, roles swapped.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 11 and appendix.
    """
    return Objective(
        discriminator, lambda real, fake: discriminator(fake, real), is_relativistic=True
    )


def relativistic_average_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images above the average fake, and vice versa.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 10.
    """
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def relativistic_average_least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images 1 above the average fake, fakes 1 below the average real one.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix (RaLSGAN).
    """
    return (real - fake.mean() - 1).square().mean() + (fake - real.mean() + 1).square().mean()


def relativistic_average_hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images more than 1 above the average fake, and vice versa.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix (RaHingeGAN).
    """
    return relu(1 - (real - fake.mean())).mean() + relu(1 + (fake - real.mean())).mean()


def relativistic_pairing_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score each real image above the fake it is paired with.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 3; Huang et al. 2024,
    arXiv:2501.05441, eq. 2.
    """
    return softplus(fake - real).mean()


def relativistic_pairing_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Have each fake scored above the real image it is paired with.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 4.
    """
    return softplus(real - fake).mean()


CROSS_ENTROPY = Objective(cross_entropy_discriminator, cross_entropy_generator)
LEAST_SQUARES = Objective(least_squares_discriminator, least_squares_generator)
LEAST_SQUARES_SYMMETRIC = Objective(
    least_squares_symmetric_discriminator, least_squares_symmetric_generator
)
WASSERSTEIN = Objective(wasserstein_critic, wasserstein_generator)
HINGE = Objective(hinge_discriminator, wasserstein_generator)
RELATIVISTIC_AVERAGE = _relativistic_average(relativistic_average_discriminator)
RELATIVISTIC_AVERAGE_LEAST_SQUARES = _relativistic_average(
    relativistic_average_least_squares_discriminator
)
RELATIVISTIC_AVERAGE_HINGE = _relativistic_average(relativistic_average_hinge_discriminator)
RELATIVISTIC_PAIRING = Objective(
    relativistic_pairing_discriminator, relativistic_pairing_generator, is_relativistic=True
)
