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
        config: Dataclass with at least `size_px` and `z_dim`; its fields are
            what a weights file records of the network.
        generator: (N, Z) float32 to (N, 3, H, W) in [-1, 1].
        discriminator: (N, 3, H, W) in [-1, 1] to (N,) logits, or (N, K) of K judges.
        has_batch_norm: Whether the discriminator looks across the batch.
        renders_evenly: Whether its generator, packed for a CPU (`models.inference.registry`), makes
            equal floats at every batch size, as convolutions do; one that multiplies
            matrices besides does not, and its images are rendered one by one.
        looks_first: Whether the discriminator is `score(features(images))`, features
            free of trained weights, so that a step computes them once for both updates.
        normalize_generator: Whether the generator is trained with spectral norm
            (`models.networks.spectral`); what is built, kept in files and served
            is the plain one.
        truncates: Whether shrinking the latent moves its images toward the average
            one; a generator that normalizes the latent's length cannot.
        numbers: Recipe numbers that its config has beside width and z_dim.
    """

    config: Callable[..., Any]
    generator: Callable[[Any], nn.Module]
    discriminator: Callable[[Any], nn.Module]
    has_batch_norm: bool = False
    renders_evenly: bool = False
    looks_first: bool = False
    normalize_generator: bool = False
    truncates: bool = False
    numbers: tuple[str, ...] = ()


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
        looks_first=True,
        normalize_generator=True,
        numbers=("most_channels", "pixel_judge"),
    ),
}
