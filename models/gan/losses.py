"""What discriminator and generator minimize, as pairs of plain functions.

Both functions are always given both logits, always `(real, fake)`, float32,
higher meaning more real, and return a mean-reduced scalar. Logits are (N,), or
(N, K) from a discriminator that scores K patches of an image: each patch then
counts like an image of its own. Discriminators never end in a sigmoid;
cross-entropy becomes softplus.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A pair of losses.

    Attributes:
        discriminator: Loss of the discriminator.
        generator: Loss of the generator.
        is_relativistic: Whether the generator's loss looks at real logits too;
            if not, its step does not score real images.
        looks_across_batch: Whether an image's loss depends on the others' logits.
    """

    discriminator: Loss
    generator: Loss
    is_relativistic: bool = False
    looks_across_batch: bool = False

    @property
    def chance(self) -> float:
        """The discriminator's loss where it cannot tell anything: all logits zero."""
        nothing = torch.zeros(1)  # a logit of zero scores real and fake alike
        return float(self.discriminator(nothing, nothing))


def cross_entropy_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as 0 by cross-entropy.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def cross_entropy_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    """Have generated images scored as 1 (the non-saturating form).

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as 0 by squared distance.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 9.
    """
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    """Have generated images scored as 1.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 9.
    """
    return (fake - 1).square().mean() / 2


def least_squares_symmetric_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images as 1 and fakes as -1 by squared distance.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 8 (a = -1, b = 1, c = 0).
    """
    return ((real - 1).square().mean() + (fake + 1).square().mean()) / 2


def least_squares_symmetric_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Have generated images scored as 0, in the middle; this pair minimizes Pearson's chi-squared.

    Source: Mao et al. 2017, arXiv:1611.04076, eq. 8.
    """
    return fake.square().mean() / 2


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Drive the means of real and generated images' scores apart.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    return fake.mean() - real.mean()


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    """Raise the generated images' mean score.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images above 1 and fakes below -1; what lies beyond does not count.

    Source: Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16.
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


def _mirrored(discriminator: Loss) -> Loss:
    """Return the generator's loss of a relativistic average pair: its opponent's, reversed.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 11 and appendix.
    """
    return lambda real, fake: discriminator(fake, real)


def relativistic_average_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images above the average fake, and the other way round.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 10.
    """
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def relativistic_average_least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images 1 above the average fake, fakes 1 below the average real one.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix (RaLSGAN).
    """
    return (real - fake.mean() - 1).square().mean() + (fake - real.mean() + 1).square().mean()


def relativistic_average_hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real images more than 1 above the average fake, and the other way round.

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
    """Have each generated image scored above the real one it is paired with.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 4.
    """
    return softplus(real - fake).mean()


CROSS_ENTROPY = Objective(
    discriminator=cross_entropy_discriminator, generator=cross_entropy_generator
)
LEAST_SQUARES = Objective(
    discriminator=least_squares_discriminator, generator=least_squares_generator
)
LEAST_SQUARES_SYMMETRIC = Objective(
    discriminator=least_squares_symmetric_discriminator, generator=least_squares_symmetric_generator
)
WASSERSTEIN = Objective(discriminator=wasserstein_critic, generator=wasserstein_generator)
HINGE = Objective(discriminator=hinge_discriminator, generator=wasserstein_generator)
RELATIVISTIC_AVERAGE = Objective(
    discriminator=relativistic_average_discriminator,
    generator=_mirrored(relativistic_average_discriminator),
    is_relativistic=True,
    looks_across_batch=True,
)
RELATIVISTIC_AVERAGE_LEAST_SQUARES = Objective(
    discriminator=relativistic_average_least_squares_discriminator,
    generator=_mirrored(relativistic_average_least_squares_discriminator),
    is_relativistic=True,
    looks_across_batch=True,
)
RELATIVISTIC_AVERAGE_HINGE = Objective(
    discriminator=relativistic_average_hinge_discriminator,
    generator=_mirrored(relativistic_average_hinge_discriminator),
    is_relativistic=True,
    looks_across_batch=True,
)
RELATIVISTIC_PAIRING = Objective(
    discriminator=relativistic_pairing_discriminator,
    generator=relativistic_pairing_generator,
    is_relativistic=True,
)
