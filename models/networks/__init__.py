"""The one table of network families: a config in, modules out; raw logits only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from models.networks.dcgan import (
    DcganConfig,
    DcganDiscriminator,
    DcganGenerator,
    PlainCritic,
    SeluDiscriminator,
    SeluGenerator,
)
from models.networks.fastgan import FastganGenerator, ProjectedConfig
from models.networks.projected import ProjectedDiscriminator
from models.networks.r3gan import R3ganConfig, R3ganDiscriminator, R3ganGenerator
from models.networks.sngan import SnganConfig, SnganDiscriminator, SnganGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A generator and its discriminator, built from one config.

    Attributes:
        config: Dataclass with at least `size_px` and `z_dim`; its fields are what a weights
            file records about the network.
        generator: (N, Z) float32 to (N, 3, H, W) in [-1, 1].
        discriminator: (N, 3, H, W) in [-1, 1] to (N,) logits, or (N, K) of all heads.
        has_batch_norm: Whether a logit of the discriminator depends on the whole batch.
        renders_evenly: Whether the generator, packed for a CPU, computes equal floats at
            every batch size, as convolutions do; one that also multiplies matrices does
            not, and renders one image at a time.
        has_frozen_features: Whether the discriminator is `score(features(images))`, with no
            trained weights in `features`, so that a step computes them once for both updates.
        normalize_generator: Whether the generator is trained with spectral norm
            (`models.networks.spectral`); files and serving hold the plain one.
        truncates: Whether shrinking the latent moves its image toward the average one; a
            generator that normalizes the latent's length cannot.
        hyperparameters: What its config has beside width and z_dim.
    """

    config: Callable[..., Any]
    generator: Callable[[Any], nn.Module]
    discriminator: Callable[[Any], nn.Module]
    has_batch_norm: bool = False
    renders_evenly: bool = False
    has_frozen_features: bool = False
    normalize_generator: bool = False
    truncates: bool = False
    hyperparameters: tuple[str, ...] = ()


_DCGAN = Network(
    config=DcganConfig,
    generator=DcganGenerator,
    discriminator=DcganDiscriminator,
    has_batch_norm=True,
    renders_evenly=True,
    truncates=True,
)

NETWORKS: Mapping[str, Network] = {
    "dcgan": _DCGAN,
    "dcgan-selu": Network(
        config=DcganConfig,
        generator=SeluGenerator,
        discriminator=SeluDiscriminator,
        renders_evenly=True,
        truncates=True,
    ),
    "dcgan-plain-critic": replace(_DCGAN, discriminator=PlainCritic, has_batch_norm=False),
    "sngan": Network(
        config=SnganConfig,
        generator=SnganGenerator,
        discriminator=SnganDiscriminator,
        renders_evenly=True,
        truncates=True,
    ),
    "r3gan": Network(
        config=R3ganConfig,
        generator=R3ganGenerator,
        discriminator=R3ganDiscriminator,
        truncates=True,
    ),
    "projected": Network(
        config=ProjectedConfig,
        generator=FastganGenerator,
        discriminator=ProjectedDiscriminator,
        has_batch_norm=True,
        renders_evenly=True,
        has_frozen_features=True,
        normalize_generator=True,
        hyperparameters=("most_channels", "pixel_judge"),
    ),
}
