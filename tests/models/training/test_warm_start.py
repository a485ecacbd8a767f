from pathlib import Path

import pytest
import torch

from models.errors import CheckpointError
from models.training.state import load_state, save_state
from models.training.warm_start import GROWN_RATE, start_from


@pytest.fixture
def build(make_trainer):
    """Return a builder of tiny trainers of any recipe and size."""
    tiny = {"seed": 3, "width": 4, "batch": 4, "z_dim": 8}
    return lambda name="projected", **changes: make_trainer(name, **{**tiny, **changes})


@pytest.fixture
def saved(build, tmp_path):
    """Return what trains a trainer for a step and saves its state."""

    def save(*args, **overrides):
        trainer = build(*args, **overrides)
        trainer.step()
        path = tmp_path / "source.safetensors"
        path.write_bytes(save_state(trainer, {}))
        return str(path)

    return save


def test_other_data_start_from_both_networks_and_the_average(build, saved):
    """The same size takes everything over but optimizers and counts, at the full rate."""
    path = saved("dcgan")
    trainer = build("dcgan")
    start_from(trainer, path)
    source = build("dcgan")
    load_state(source, path)
    theirs = dict(source.tensors())
    assert all(torch.equal(value, theirs[name]) for name, value in trainer.tensors())
    assert (trainer.step_count, trainer.stream.position) == (0, 0)
    assert not trainer.optimizers["generator"].state
    assert [len(o.param_groups) for o in trainer.optimizers.values()] == [1, 1]


def test_a_grown_network_keeps_what_it_knew_at_a_tenth_of_the_rate(build, saved):
    """Opening and stages are taken over; the new stage is fresh."""
    path = saved(size_px=32)
    small, large, fresh = build(size_px=32), build(size_px=64), build(size_px=64)
    load_state(small, path)
    start_from(large, path)
    before, untrained = dict(small.tensors()), dict(fresh.tensors())
    taken = {n for n, value in large.tensors() if not torch.equal(value, untrained[n])}
    assert all(torch.equal(dict(large.tensors())[name], before[name]) for name in taken)
    weight = "parametrizations.weight.original"
    assert f"generator.opening.0.{weight}" in taken
    assert f"average.stages.32.0.{weight}" in taken
    assert f"generator.stages.64.0.{weight}" not in taken
    new, old = large.optimizers["generator"].param_groups
    assert old["lr"] == pytest.approx(GROWN_RATE * new["lr"])
    assert len(new["params"]) + len(old["params"]) == len(list(large.generator.parameters()))
    large.step()


def test_a_grown_training_resumes_bit_for_bit(build, saved, tmp_path):
    """Its state says what is slow, so that the optimizers are the same after a restart."""
    whole = build(size_px=64)
    start_from(whole, saved(size_px=32))
    whole.step()
    path = tmp_path / "own.safetensors"
    path.write_bytes(save_state(whole, {}))
    again = build(size_px=64)
    load_state(again, str(path))
    whole.step()
    again.step()
    theirs = dict(again.tensors())
    assert all(torch.equal(value, theirs[name]) for name, value in whole.tensors())


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"name": "dcgan"}, "trained by projected, not by dcgan"),
        ({"size_px": 32}, "makes 64 px, more than 32"),
        ({"width": 8}, "has width 4, the order 8"),
        ({"z_dim": 16}, "has z_dim 8, the order 16"),
        ({"pixel_judge": 4}, "has pixel_judge 0, the order 4"),
    ],
)
def test_what_differs_is_named_before_anything_changes(build, saved, wanted, told):
    path = saved(size_px=64)
    trainer = build(**{"size_px": 64, **wanted})
    before = {name: value.clone() for name, value in trainer.tensors()}
    with pytest.raises(CheckpointError, match=told):
        start_from(trainer, path)
    assert all(torch.equal(value, before[name]) for name, value in trainer.tensors())


def test_networks_whose_layers_change_with_the_size_cannot_grow(build, saved):
    """DCGAN has more channels at every side for larger pictures."""
    path = saved("dcgan", size_px=32)
    with pytest.raises(CheckpointError, match="cannot grow"):
        start_from(build("dcgan", size_px=64), path)


def test_a_damaged_state_is_refused(build, saved):
    path = saved("dcgan")
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        start_from(build("dcgan"), path)
