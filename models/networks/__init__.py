"""The one table of network families: a config in, modules out; raw logits only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from models.networks.dcgan import DcganConfig, DcganDiscriminator, DcganGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A generator and its discriminator, built from one config.

    Attributes:
        config: Dataclass with at least `size_px` and `z_dim`; its fields are
            what a weights file records of the network.
        generator: (N, Z) float32 to (N, 3, H, W) in [-1, 1].
        discriminator: (N, 3, H, W) in [-1, 1] to (N,) logits.
    """

    config: Callable[..., Any]
    generator: Callable[[Any], nn.Module]
    discriminator: Callable[[Any], nn.Module]


NETWORKS: Mapping[str, Network] = {
    "dcgan": Network(
        config=DcganConfig, generator=DcganGenerator, discriminator=DcganDiscriminator
    ),
}
