"""The one table of GANs. Adding a recipe is adding a row here.

Command line choices, API schemas, documentation, checkpoint validation and
parametrized tests all read `RECIPES`.
"""

from collections.abc import Mapping
from dataclasses import replace

from models.errors import NotFound
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
from models.gan.recipe import Recipe
from models.gan.regularizers import CLIP, GRADIENT_PENALTY, ZERO_CENTERED
from models.hyperparameters import Settings


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        NotFound: There is no such recipe.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise NotFound("recipe", name, sorted(RECIPES)) from None


def resolve(name: str, overrides: Mapping[str, object]) -> tuple[Recipe, Settings]:
    """Return a recipe by name, and its settings with an order's overrides.

    Raises:
        NotFound: There is no such recipe.
        RecipeError: As `Recipe.with_overrides`.
    """
    row = recipe(name)
    return row, row.with_overrides(overrides)


# What the 2017 cat scripts have in common; width 128, batch 64 and the two learning rates were
# their "sweet spot".
CATS_2017 = Settings(
    width=128, z_dim=100, batch=64, lr_generator=2e-4, lr_discriminator=5e-5, beta1=0.5, beta2=0.999
)

# The cat runs of the relativistic paper (its published stable.sh).
RELATIVISTIC_2018 = Settings(
    width=64, z_dim=128, batch=32, lr_generator=2e-4, lr_discriminator=2e-4, beta1=0.5, beta2=0.999
)

_ROWS = (
    Recipe(
        name="dcgan",
        title="Deep convolutional GAN, with the settings of the 2017 cat experiments",
        source="Radford et al. 2016, arXiv:1511.06434",
        network="dcgan",
        objective=CROSS_ENTROPY,
        sizes_px=(64,),
        settings=CATS_2017,
    ),
    Recipe(
        name="dcgan-selu",
        title="Self-normalizing DCGAN, with which the 2017 experiments reached 128 px",
        source="Klambauer et al. 2017, arXiv:1706.02515",
        network="dcgan-selu",
        objective=CROSS_ENTROPY,
        sizes_px=(128,),
        settings=replace(CATS_2017, width=64, lecun=False),
    ),
    Recipe(
        name="wgan",
        title="Wasserstein GAN with weight clipping",
        source="Arjovsky et al. 2017, arXiv:1701.07875",
        network="dcgan",
        objective=WASSERSTEIN,
        regularizer=CLIP,
        optimizer="rmsprop",
        sizes_px=(64,),
        settings=replace(
            CATS_2017,
            width=64,
            lr_generator=5e-5,
            lr_discriminator=5e-5,
            beta1=None,
            beta2=0.99,
            critic_steps=5,
            critic_boost=100,
            clip=0.01,
        ),
        note="The critic takes 100 steps before each of the first 25 generator steps and every "
        "500th; budgets below 400 kimg shorten that in proportion, and the card says so",
    ),
    Recipe(
        name="wgan-gp",
        title="Wasserstein GAN with gradient penalty",
        source="Gulrajani et al. 2017, arXiv:1704.00028",
        network="dcgan-plain-critic",
        objective=WASSERSTEIN,
        regularizer=GRADIENT_PENALTY,
        sizes_px=(64,),
        settings=replace(
            CATS_2017,
            lr_generator=1e-4,
            lr_discriminator=1e-4,
            beta1=0.0,
            beta2=0.9,
            critic_steps=5,
            penalty=10.0,
        ),
    ),
    Recipe(
        name="lsgan",
        title="Least squares GAN, with the settings of the 2017 cat experiments",
        source="Mao et al. 2017, arXiv:1611.04076",
        network="dcgan",
        objective=LEAST_SQUARES,
        sizes_px=(64,),
        settings=replace(CATS_2017, lr_generator=1e-4, lr_discriminator=1e-4),
        note="One of the 2017 runs collapsed into contrast spots with these hyperparameters",
    ),
    Recipe(
        name="lsgan-stable",
        title="Least squares GAN without momentum, and with symmetric labels",
        source="Mao et al. 2017, arXiv:1611.04076",
        network="dcgan",
        objective=LEAST_SQUARES_SYMMETRIC,
        sizes_px=(64,),
        settings=replace(CATS_2017, lr_generator=1e-4, lr_discriminator=1e-4, beta1=0.0),
        note="Stable at learning rates and momentum at which `lsgan` collapses into spots",
    ),
    Recipe(
        name="ragan",
        title="Relativistic average GAN",
        source="Jolicoeur-Martineau 2018, arXiv:1807.00734",
        network="dcgan",
        objective=RELATIVISTIC_AVERAGE,
        sizes_px=(64, 128),
        settings=RELATIVISTIC_2018,
    ),
    Recipe(
        name="ralsgan",
        title="Relativistic average least squares GAN",
        source="Jolicoeur-Martineau 2018, arXiv:1807.00734",
        network="dcgan",
        objective=RELATIVISTIC_AVERAGE_LEAST_SQUARES,
        sizes_px=(64, 128),
        settings=RELATIVISTIC_2018,
    ),
    Recipe(
        name="rahinge",
        title="Relativistic average hinge GAN",
        source="Jolicoeur-Martineau 2018, arXiv:1807.00734",
        network="dcgan",
        objective=RELATIVISTIC_AVERAGE_HINGE,
        sizes_px=(64, 128),
        settings=RELATIVISTIC_2018,
    ),
    Recipe(
        name="sngan",
        title="Spectrally normalized GAN of residual networks, with the hinge loss",
        source="Miyato et al. 2018, arXiv:1802.05957",
        network="sngan",
        objective=HINGE,
        sizes_px=(64,),
        settings=Settings(
            width=64,
            z_dim=128,
            batch=64,
            lr_generator=2e-4,
            lr_discriminator=2e-4,
            beta1=0.0,
            beta2=0.9,
            critic_steps=5,
        ),
    ),
    Recipe(
        name="r3gan",
        title="Relativistic pairing GAN with gradient penalties at real and generated images",
        source="Huang et al. 2024, arXiv:2501.05441",
        network="r3gan",
        objective=RELATIVISTIC_PAIRING,
        regularizer=ZERO_CENTERED,
        sizes_px=(64, 128),
        settings=Settings(
            width=64,
            z_dim=64,
            batch=64,
            lr_generator=2e-4,
            lr_discriminator=2e-4,
            beta1=0.0,
            beta2=0.99,
            r1=1.0,
            r2=1.0,
            augment=0.3,
        ),
    ),
    Recipe(
        name="projected",
        title="Projected GAN: a FastGAN generator, and a discriminator on the features of a "
        "network pretrained on ImageNet",
        source="Sauer et al. 2021, arXiv:2111.01007; Liu et al. 2021, arXiv:2101.04775",
        network="projected",
        objective=HINGE,
        sizes_px=(256, 128),
        # Half of the prototype's width: 28 instead of 99 million weights at 256 px, and a third
        # of the multiplications per step.
        settings=Settings(
            width=64,
            z_dim=256,
            batch=32,
            lr_generator=2e-4,
            lr_discriminator=2e-4,
            beta1=0.0,
            beta2=0.99,
            augment=1.0,
            most_channels=4096,
            pixel_judge=0,
        ),
        note="Metrics on EfficientNet-Lite0 flatter it, since its discriminator uses the same "
        "features",
    ),
)

RECIPES: Mapping[str, Recipe] = {row.name: row for row in _ROWS}
