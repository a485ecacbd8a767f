"""What discriminator and generator minimize, as pairs of plain functions.

Both functions are always given both logits, always `(real, fake)`, shape (N,)
float32, higher meaning more real, and return a mean-reduced scalar.
Discriminators never end in a sigmoid; cross-entropy becomes softplus.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A pair of losses.

    Attributes:
        discriminator: Loss of the discriminator.
        generator: Loss of the generator.
        is_relativistic: Whether the generator's loss looks at real logits too;
            if not, its step does not score real pictures.
        source: The paper.
    """

    discriminator: Loss
    generator: Loss
    is_relativistic: bool = False
    source: str


def cross_entropy_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Score real pictures as 1 and made ones as 0 by cross-entropy.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def cross_entropy_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    """Have made pictures scored as 1 (the non-saturating form).

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return softplus(-fake).mean()


CROSS_ENTROPY = Objective(
    discriminator=cross_entropy_discriminator,
    generator=cross_entropy_generator,
    source="Goodfellow et al. 2014, arXiv:1406.2661",
)
