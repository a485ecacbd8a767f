"""Weights files that lie: refused before a network is built, and by our own error only."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from models.errors import CheckpointError
from models.inference.checkpoints import load_generator
from models.networks import NETWORKS
from tests.generators import weights_file
from tests.json_values import JSON

RAW = weights_file()
TINY = {"tiny": torch.zeros(1)}


def _file(header, tensors=TINY):
    return save(tensors, {"cattery": json.dumps(header)})


def _header(**changes):
    length = int.from_bytes(RAW[:8], "little")
    header = json.loads(json.loads(RAW[8 : 8 + length])["__metadata__"]["cattery"])
    return {**header, **changes}


@pytest.mark.parametrize("kind", sorted(NETWORKS))
@pytest.mark.parametrize("tensors", [TINY, load(RAW)], ids=["one tensor", "another width"])
def test_a_header_that_claims_a_huge_network_builds_none(kind, tensors, monkeypatch):
    """At a width of 1024 some take gigabytes; only outlines without memory are made."""
    devices = []

    def generator(config):
        devices.append(torch.empty(0).device.type)
        return network.generator(config)

    network = NETWORKS[kind]
    monkeypatch.setitem(NETWORKS, kind, replace(network, generator=generator))
    claim = _header(network=kind, config={"size_px": 512, "z_dim": 4096, "width": 1024})
    with pytest.raises(CheckpointError):
        load_generator(_file(claim, tensors))
    assert devices == ["meta"]


@given(JSON)
def test_a_header_of_any_json_is_refused(header):
    with pytest.raises(CheckpointError):
        load_generator(_file(header))


@given(st.sampled_from(["network", "config", "format", "latent"]), JSON)
def test_a_header_with_any_field_of_another_type_is_refused(name, value):
    with pytest.raises(CheckpointError):
        load_generator(_file(_header(**{name: value})))


@given(st.dictionaries(st.sampled_from(["size_px", "z_dim", "width", "most_channels"]), JSON))
def test_a_config_of_any_numbers_is_refused(config):
    for kind in NETWORKS:
        with pytest.raises(CheckpointError):
            load_generator(_file(_header(network=kind, config=config)))


def test_a_header_that_nests_deeply_is_refused():
    metadata = {"cattery": "[" * 100_000}
    with pytest.raises(CheckpointError, match="no Cattery header"):
        load_generator(save(TINY, metadata))
