"""A feature network, and a store whose dataset has enough pictures held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.inference.checkpoints import Generator
from models.metrics.features import Features
from models.metrics.measuring import reference_statistics
from models.metrics.protocols import PROTOCOLS
from models.store import Store
from tests.records import add_dataset

CPU = torch.device("cpu")
REALS, HELDOUT = 40, 16


@pytest.fixture(scope="session")
def features():
    return Features(CPU)


@pytest.fixture(scope="session")
def make_store(small_pictures):
    """Return a maker of stores with the dataset "small" at 32 px."""

    def make(folder, reals=REALS, heldout=HELDOUT):
        store = Store.open(str(folder / "store"))
        packs = {"32": small_pictures[:reals], "32-heldout": small_pictures[reals:][:heldout]}
        add_dataset(store, folder, packs, fingerprint="ab" * 32)
        return store

    return make


@pytest.fixture(scope="session")
def store(make_store, tmp_path_factory):
    """The store; tests only add to it what is kept anyway."""
    return make_store(tmp_path_factory.mktemp("metrics"))


@pytest.fixture(scope="session")
def reference(store, features, tmp_path_factory):
    """What is kept of its forty cats."""
    cache = tmp_path_factory.mktemp("cache")
    dataset = store.datasets.get("small")
    return reference_statistics(store, dataset, 32, cache=cache, features=features)


class _Replay(nn.Module):
    """A network that shows given pictures one after another, whatever the latents."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        super().__init__()
        self.pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        self.at = 0

    def forward(self, z: Tensor) -> Tensor:
        self.at += len(z)
        return self.pictures[self.at - len(z) : self.at]


@pytest.fixture
def replaying():
    """Return a maker of generators that show given pictures."""
    return lambda pictures: Generator(_Replay(pictures), {}, {"size_px": 32, "z_dim": 2})


@pytest.fixture
def few():
    return lambda name, fakes: replace(PROTOCOLS[name], fakes=fakes)
