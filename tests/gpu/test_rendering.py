import numpy as np
import pytest
import torch
from torch import nn

from models.checkpoints import load_generator, save_generator
from models.engine import Engine
from models.networks import NETWORKS
from models.recipes import RECIPES

BY_NETWORK = {row.network: row for row in RECIPES.values()}


def _file(kind: str) -> bytes:
    row = BY_NETWORK[kind]
    config = row.network_config(64, row.with_overrides({"width": 32}))
    torch.manual_seed(0)
    network = NETWORKS[kind].generator(config)
    with torch.no_grad():  # trained batch norms are not at their defaults
        for name, value in network.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.01, 2.0)
    _give_contrast(network.eval(), config.z_dim)
    return save_generator(network.eval(), kind=kind, config=config)


@torch.no_grad()
def _give_contrast(network: nn.Module, z_dim: int) -> None:
    """Scale the last convolution: gray, or black and white alone, would hide what differs."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for _ in range(12):
        convolutions[-1].weight.mul_(0.5 / network(torch.randn(16, z_dim)).std())


@pytest.mark.parametrize("kind", sorted(BY_NETWORK))
def test_a_gpu_makes_the_picture_that_a_cpu_makes(kind: str) -> None:
    """Within one gray level, at every pixel."""
    raw = _file(kind)
    seeds = range(16)
    here = Engine(load_generator(raw), "cpu").render(seeds)
    there = Engine(load_generator(raw), "cuda").render(seeds)
    assert 40 < here.std() < 90
    assert np.abs(here.astype(int) - there.astype(int)).max() <= 1


def test_one_seed_is_one_cat_whatever_shares_its_batch_on_a_gpu_too() -> None:
    """Pixels are equal alone and in any company."""
    engine = Engine(load_generator(_file("dcgan")), "cuda")
    alone = engine.render([7])[0]
    for size in (2, 16, 17, 40):
        batch = engine.render([*range(100, 100 + size - 1), 7])
        assert np.array_equal(batch[-1], alone), size
