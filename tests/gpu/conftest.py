"""Every test in this folder needs a CUDA device and is skipped where there is none."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.datasets.batches import BatchStream
from models.devices import FLOAT32
from models.gan.recipes import recipe
from models.store import Store
from models.training.trainer import Trainer
from tests.records import add_dataset

HERE = Path(__file__).parent
REASON = "no CUDA device is here; `make gpu-check` runs these where one is"
SIZE_PX = 32
PICTURES = 1024
OVERRIDES: dict[str, object] = {"width": 16, "batch": 16}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, and skip it where it cannot run."""
    has_gpu = torch.cuda.is_available()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not has_gpu:
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    """The first GPU, given back whole."""
    yield torch.device("cuda")
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


@pytest.fixture(scope="session")
def noise() -> NDArray[np.uint8]:
    """As many pictures as the largest batch has, smooth noise, uint8 (1024, 32, 32, 3)."""
    coarse = np.random.default_rng(0).integers(0, 256, (PICTURES, 8, 8, 3), np.uint8)
    return coarse.repeat(SIZE_PX // 8, 1).repeat(SIZE_PX // 8, 2)


@pytest.fixture
def make_trainer(noise: NDArray[np.uint8], gpu: torch.device) -> Callable[..., Trainer]:
    """Build a small trainer; equal arguments give equal trainers."""

    def make(name="dcgan", *, device=gpu, precision=FLOAT32, **overrides) -> Trainer:
        row = recipe(name)
        settings = row.with_overrides({**OVERRIDES, **overrides})
        stream = BatchStream(noise, settings.batch, 0, device)
        return Trainer(row, settings, SIZE_PX, stream, seed=0, device=device, precision=precision)

    return make


@pytest.fixture
def store(tmp_path: Path, noise: NDArray[np.uint8]) -> Store:
    """A store that holds the dataset "noise" at 32 and 64 px."""
    store = Store.open(str(tmp_path / "store"))
    large = noise.repeat(2, 1).repeat(2, 2)
    packs = {"32": noise, "32-heldout": noise[:64], "64": large, "64-heldout": large[:64]}
    add_dataset(store, tmp_path, packs, name="noise")
    return store
