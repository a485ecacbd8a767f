"""Tests of app.inference.slot."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from app.inference.slot import load_engine, make_slot
from models.devices import BFLOAT16, fastest_precision
from models.inference.onednn import can_pack
from models.store import Store
from tests.app.fake_engine import card_for, load_painting, real_weights


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "generator.safetensors"
    path.write_bytes(real_weights(1))
    return path


def test_a_slot_is_loaded_with_the_engine_that_its_card_names(store: Store, tmp_path):
    """The loader is told, so that pixels are those that the version was published with."""
    told = []

    def load(path, device, canonical):
        told.append(canonical)
        return load_painting(path, device)

    card = replace(card_for("dcgan"), engine="torch-bf16")
    version = store.versions.publish("dcgan", b'{"red": 1}', card, b"no picture").version
    make_slot(store, "dcgan", version, device="cpu", cache=tmp_path, load=load)
    assert told == ["torch-bf16"]


def test_a_card_without_an_engine_means_float32(weights):
    """Cards of older releases name none."""
    assert load_engine(weights, "cpu", "").name == "torch-fp32-cpu"


def test_an_engine_that_is_wanted_comes_before_the_cards(weights):
    """It has a name of its own, and with that its pictures have tags of their own."""
    has_it = can_pack() and fastest_precision(torch.device("cpu")) == BFLOAT16
    load = partial(load_engine, wanted="torch-bf16")
    wanted = "torch-bf16-cpu" if has_it else "torch-fp32-cpu"
    assert load(weights, "cpu", "torch-fp32").name == wanted
