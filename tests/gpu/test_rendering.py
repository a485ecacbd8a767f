import numpy as np
import pytest
import torch
from torch import nn

from models.gan.recipes import RECIPES
from models.inference.checkpoints import load_generator, save_generator
from models.inference.engine import Engine
from models.networks import NETWORKS

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


@pytest.mark.parametrize("name", ["torch-fp32", "torch-fp16"])
def test_one_seed_is_one_cat_whatever_shares_its_batch_on_a_gpu_too(name: str) -> None:
    """Pixels are equal alone and in any company, as one graph and as single kernels."""
    engine = Engine(load_generator(_file("dcgan")), "cuda", name)
    engine.warm()
    alone = engine.render([7])[0]
    for size in (2, 16, 17, 40, 64):
        batch = engine.render([*range(100, 100 + size - 1), 7])
        assert np.array_equal(batch[-1], alone), size


def test_a_graph_renders_what_single_kernels_do() -> None:
    """Before it is captured and after: a version's cats do not change while it serves."""
    engine = Engine(load_generator(_file("dcgan")), "cuda")
    before = engine.render(range(40))
    engine.warm()
    assert np.array_equal(engine.render(range(40)), before)


@pytest.mark.parametrize("kind", sorted(BY_NETWORK))
def test_halves_serve_only_where_they_are_within_a_gray_level(kind: str) -> None:
    """And the engine's name, which is in every tag, says which of the two it is."""
    raw = _file(kind)
    exact, fast = (Engine(load_generator(raw), "cuda", f"torch-fp{bits}") for bits in (32, 16))
    assert fast.name == exact.name == "torch-fp32-cuda"
    fast.warm()
    assert fast.name in ("torch-fp16-cuda", "torch-fp32-cuda")
    distance = np.abs(exact.render(range(64)).astype(int) - fast.render(range(64)).astype(int))
    assert distance.max() <= 1


def test_weights_too_large_for_halves_serve_in_float32() -> None:
    """Infinities in float16 make pictures that differ, and float32 stays."""
    generator = load_generator(_file("dcgan"))
    with torch.no_grad():
        convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
        convolutions[-2].weight.mul_(1e7)
        convolutions[-1].weight.mul_(1e-7)
    engine = Engine(generator, "cuda", "torch-fp16")
    engine.warm()
    assert engine.name == "torch-fp32-cuda"


def test_a_graph_that_cannot_be_captured_is_done_without(monkeypatch, caplog):
    raw = _file("dcgan")
    wanted = Engine(load_generator(raw), "cuda").render(range(20))

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no capture here")

    monkeypatch.setattr(torch.cuda, "graph", fail)
    engine = Engine(load_generator(raw), "cuda")
    engine.warm()
    assert np.array_equal(engine.render(range(20)), wanted)
    assert "could not be captured" in caplog.text
