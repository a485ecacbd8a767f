import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models.zoo
from models.devices import BFLOAT16, fastest_precision
from models.errors import CheckpointError, InvalidValue
from models.inference import cpu
from models.inference.checkpoints import Generator, load_generator
from models.inference.cuda import BATCH
from models.inference.engine import Engine, enter_lane, lanes_of, least_share_of
from models.inference.folding import Opening, folded
from models.inference.latents import latents
from models.inference.onednn import can_pack, pack
from models.inference.registry import pick_engine
from models.networks import NETWORKS
from tests.generators import weights_file

CPU = torch.device("cpu")
ZOO = sorted(Path(models.zoo.__file__).parent.glob("*/generator.safetensors"))


def _trained(kind: str) -> Generator:
    return load_generator(weights_file(kind))


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_a_folded_generator_makes_the_same_pictures(kind):
    """Up to rounding alone: in float64 nothing is left of the difference."""
    generator = _trained(kind).double()
    z = torch.randn(4, 16, dtype=torch.float64)
    with torch.inference_mode():
        wanted = generator(z)
        assert wanted.std() > 0.01
        made = folded(generator.network, 16)(z)
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-10)


@pytest.mark.skipif(not can_pack(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_a_packed_generator_makes_the_same_pictures(kind):
    """Up to float32's rounding, a hundredth of a gray level."""
    generator = _trained(kind)
    z = torch.randn(4, 16)
    with torch.inference_mode():
        wanted = generator(z)
        made = pack(folded(generator.network, 16))(z)
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_folding_leaves_the_generator_as_it_was(kind):
    generator = _trained(kind)
    layers = [type(layer) for layer in generator.modules()]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with torch.inference_mode():
        z = torch.randn(2, 16)
        wanted = generator(z)
        random_state = torch.get_rng_state()  # of a training whose sheet is painted in between
        pack(folded(generator.network, 16))
        assert torch.equal(torch.get_rng_state(), random_state)
        assert torch.equal(generator(z), wanted)
    assert [type(layer) for layer in generator.modules()] == layers
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


@pytest.mark.parametrize(("kind", "left"), [("dcgan", 0), ("projected", 0), ("sngan", 4)])
def test_batch_norms_after_a_convolution_are_gone(kind, left):
    """Those that sngan has before its convolutions stay: one a block, and the last one."""
    made = folded(_trained(kind).network, 16)
    layers = [made.get_submodule(str(n.target)) for n in made.graph.nodes if n.op == "call_module"]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == left
    assert isinstance(layers[0], Opening)


@pytest.mark.skipif(not can_pack(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("kind", [k for k, row in NETWORKS.items() if row.renders_evenly])
def test_packed_floats_are_equal_at_every_batch_size_where_the_table_says_so(kind):
    """Before rounding to gray levels, from 1 to 16, and whatever the other latents are."""
    made = pack(folded(_trained(kind).network, 16))
    z = torch.randn(cpu.MOST_AT_ONCE, 16)
    with torch.inference_mode():
        alone = torch.cat([made(row) for row in torch.split(z, 1)])
        for size in range(2, len(z) + 1):
            assert torch.equal(torch.cat([made(rows) for rows in torch.split(z, size)]), alone)


@pytest.mark.parametrize("weights", ZOO, ids=lambda path: path.parent.name)
def test_a_cat_of_the_zoo_is_one_cat_whatever_shares_its_batch(weights):
    generator = load_generator(weights)
    engine, seeds = Engine(generator), range(64 if generator.size_px <= 64 else 20)
    alone = np.concatenate([engine.render([seed]) for seed in seeds[:9]])
    for size in (2, 3, 9, 17, len(seeds)):
        assert np.array_equal(engine.render(seeds[:size])[:9], alone[:size])
    seen = []
    thread = threading.Thread(target=lambda: seen.append(engine.render(seeds[:9])))
    thread.start()
    thread.join()
    assert np.array_equal(seen[0], alone)


@pytest.mark.parametrize("weights", ZOO, ids=lambda path: path.parent.name)
def test_a_cat_of_the_zoo_is_within_one_gray_level_of_the_plain_network(weights):
    """And differs from it in fewer than a hundred of a million pixels."""
    generator = load_generator(weights)
    engine = Engine(generator)
    with torch.inference_mode():
        z = torch.from_numpy(latents(range(8), generator.z_dim))
        plain = generator(z).add(1).mul(127.5).round().clamp(0, 255).permute(0, 2, 3, 1)
    distance = np.abs(engine.render(range(8)).astype(int) - plain.numpy().astype(int))
    assert distance.max() <= 1
    assert distance.mean() < 1e-4


def test_without_onednn_pictures_are_rendered_one_by_one(monkeypatch):
    """Slower, still within one gray level, still one seed, one cat."""
    packed = Engine(_trained("dcgan")).render(range(5))
    monkeypatch.setattr(cpu, "can_pack", lambda: False)
    engine = Engine(_trained("dcgan"), engine="torch-bf16")
    assert engine.name == "torch-fp32-cpu"
    pictures = engine.render(range(5))
    assert np.array_equal(pictures[3], engine.render([3])[0])
    assert np.abs(pictures.astype(int) - packed.astype(int)).max() <= 1


def test_a_network_that_cannot_be_traced_is_rendered_as_it_is(caplog):
    """Its code asks how many latents there are; it is slower, told once, and makes its pictures."""

    class Counting(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.full((len(z), 3, 8, 8), 0.5) if len(z) else z

    generator = Generator(Counting(), {"network": "counting"}, {"size_px": 8, "z_dim": 4})
    engine = Engine(generator)
    engine.warm()
    assert engine.render([1, 2, 3]).tolist() == [[[[191] * 3] * 8] * 8] * 3
    assert len([r for r in caplog.records if "cannot be traced" in r.message]) == 1


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_bf16_is_near_where_the_processor_has_it(kind):
    """Within a gray level in the mean, with a name of its own; elsewhere it is float32."""
    exact, fast = Engine(_trained(kind)), Engine(_trained(kind), engine="torch-bf16")
    has_it = fastest_precision(CPU) == BFLOAT16 and can_pack()
    assert fast.name == ("torch-bf16-cpu" if has_it else "torch-fp32-cpu")
    distance = np.abs(exact.render(range(8)).astype(int) - fast.render(range(8)).astype(int))
    assert (distance.max() > 0) == has_it
    assert distance.mean() <= 1


def test_pictures_that_are_not_finite_are_told_when_warmed():
    """Weights may be finite and their products not."""
    generator = _trained("dcgan")
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.copy_(1e30 * torch.randn_like(parameter))
    with pytest.raises(CheckpointError, match="not finite"):
        Engine(generator).warm()


@pytest.mark.parametrize(
    ("wanted", "canonical", "device", "picked"),
    [
        ("auto", "", "cpu", "torch-fp32"),
        ("auto", "torch-fp32", "cpu", "torch-fp32"),
        ("auto", "torch-bf16", "cpu", "torch-bf16"),
        ("auto", "of-a-later-release", "cpu", "torch-fp32"),
        ("auto", "torch-fp32", "cuda:1", "torch-fp16"),
        ("torch-fp32", "torch-fp32", "cuda", "torch-fp32"),
        ("torch-bf16", "torch-fp32", "cpu", "torch-bf16"),
        ("torch-fp16", "torch-fp32", "cpu", "torch-fp32"),
        ("torch-bf16", "torch-fp32", "cuda", "torch-fp32"),
    ],
)
def test_the_cards_engine_renders_unless_another_is_wanted(wanted, canonical, device, picked):
    assert pick_engine(wanted, canonical, device) == picked


@pytest.mark.parametrize("name", ["torch-fp16", "onnxruntime", ""])
def test_an_engine_that_is_not_for_the_device_is_refused(name):
    with pytest.raises(InvalidValue, match="torch-fp32, torch-bf16 on cpu"):
        Engine(_trained("dcgan"), engine=name)


@pytest.mark.parametrize(
    ("device", "cores", "lanes"),
    [
        ("cpu", 1, 1),
        ("cpu", 2, 2),
        ("cpu", 3, 2),
        ("cpu", 16, 15),
        ("cuda", 16, 4),
        ("cuda:1", 2, 2),
    ],
)
def test_lanes_leave_a_core_where_there_are_more_than_two(device, cores, lanes, monkeypatch):
    """A GPU needs no more than a few; and there are as many as is told, whatever the cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert (lanes_of(device, 0), lanes_of(device, 5)) == (lanes, 5)
    assert least_share_of(device) == (1 if device == "cpu" else BATCH)


def test_a_lane_computes_alone():
    before = torch.get_num_threads()
    seen: list[int] = []

    def lane():
        enter_lane()
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=lane)
    thread.start()
    thread.join()
    assert (seen, torch.get_num_threads()) == ([1], before)
    torch.set_num_threads(before)  # threads to come


def test_a_generator_is_loaded_while_others_render():
    """What a lane renders while a network is traced is its own, and the trace is not disturbed."""
    engine = Engine(_trained("dcgan"))
    alone = engine.render(range(3))
    tracing, rendered = threading.Event(), threading.Event()

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(4, 3, 1)

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            tracing.set()
            assert rendered.wait(20)
            return self.layer(z[:, :, None, None])

    made: list[int] = []
    loading = threading.Thread(
        target=lambda: made.append(len(folded(Slow().eval(), 4).graph.nodes))
    )
    loading.start()
    assert tracing.wait(20)
    try:
        assert np.array_equal(alone, engine.render(range(3)))
    finally:
        rendered.set()
        loading.join()
    assert made == [4]  # the latent, what opens it, the layer, the result
