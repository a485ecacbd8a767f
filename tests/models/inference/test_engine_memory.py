"""Tests of what engines hold in memory, and that they let go of it."""

import gc
import weakref

import pytest
import torch
from torch import nn

from models.inference.checkpoints import load_generator
from models.inference.cpu import OnCpu
from models.inference.engine import Engine
from models.inference.onednn import can_pack, held_bytes
from tests.generators import weights_file


@pytest.fixture
def generator():
    """Return a small real generator whose layers are multiples of what oneDNN packs by."""
    return load_generator(weights_file(z_dim=64, width=32))


def test_an_engine_tells_what_its_weights_hold(generator):
    weights = held_bytes(generator.network)
    assert weights <= Engine(generator).nbytes <= 1.2 * weights


@pytest.mark.skipif(not can_pack(), reason="this torch does not pack")
def test_packed_in_half_as_many_bits_they_hold_half(generator):
    """All convolutions but the last are in bfloat16."""
    whole, half = OnCpu(generator).nbytes, OnCpu(generator, torch.bfloat16).nbytes
    assert half == pytest.approx(whole / 2, rel=0.1)


def test_weights_are_counted_once_and_buffers_with_them():
    """A tensor that two layers share is in memory once."""
    layer, norm = nn.Linear(3, 5), nn.BatchNorm1d(5)
    # 15 weights, 5 biases, four rows of 5 float32; and the norm's count of batches, int64.
    assert held_bytes(nn.Sequential(layer, norm, layer)) == 4 * (15 + 5 + 4 * 5) + 8


def test_an_engine_let_go_leaves_the_memory_at_once(generator):
    """Its weights do not wait for the garbage collector, which may be long in coming."""
    gc.collect()
    gc.disable()
    try:
        engine = OnCpu(generator)
        engine.warm()
        network = weakref.ref(engine._network)
        del engine
        assert network() is None
    finally:
        gc.enable()
