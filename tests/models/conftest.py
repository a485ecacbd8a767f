"""Small real things for the tests of models/: pictures, a store with a dataset, a trainer."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.datasets.batches import BatchStream
from models.devices import FLOAT32
from models.directions.fitting import fit
from models.gan.recipes import recipe
from models.inference.checkpoints import load_generator
from models.store import Store
from models.store.records import Budget
from models.training.trainer import Trainer
from tests.records import add_dataset, training_order

ZOO = Path(__file__).parents[2] / "models" / "zoo"
OVERRIDES = {"width": 4, "batch": 8}


@pytest.fixture(scope="session")
def small_pictures(pictures):
    """Sixty-four real cats at 32 px, uint8 (64, 32, 32, 3)."""
    files = sorted(pictures.rglob("*.jpg"))[:64]
    return np.stack([np.asarray(Image.open(f).convert("RGB").resize((32, 32))) for f in files])


@pytest.fixture
def make_trainer(small_pictures):
    """Build a tiny trainer of any recipe; equal arguments give equal trainers."""

    def make(name="dcgan", seed=0, precision=FLOAT32, size_px=32, **overrides):
        row, device, times = recipe(name), torch.device("cpu"), size_px // 32
        numbers = row.with_overrides({**OVERRIDES, **overrides})
        pictures = small_pictures.repeat(times, 1).repeat(times, 2)
        stream = BatchStream(pictures, numbers.batch, seed, device)
        return Trainer(row, numbers, size_px, stream, seed=seed, device=device, precision=precision)

    return make


@pytest.fixture
def store_with_cats(tmp_path, small_pictures):
    """A store that holds the dataset "small" at 32 px."""
    store = Store.open(str(tmp_path / "store"))
    add_dataset(store, tmp_path, {"32": small_pictures[4:], "32-heldout": small_pictures[:4]})
    return store


@pytest.fixture
def small_order():
    """Make an order for a job of a few seconds."""
    small = {"dataset": "small", "model": "tiny", "size_px": 32, "budget": Budget(kimg=0.08)}
    return lambda **changes: training_order(**{**small, "overrides": OVERRIDES, **changes})


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def noise():
    """Return a maker of pictures that differ from seed to seed."""

    def make(seed, size=(64, 64), mode="RGB"):
        cells = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        return Image.fromarray(cells).resize(size, Image.Resampling.NEAREST).convert(mode)

    return make


@pytest.fixture
def encoded():
    """Return a function from picture to file content."""

    def encode(image, kind="PNG", **options):
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return encode


@pytest.fixture
def zipped(tmp_path):
    """Return a maker of zips from (name or ZipInfo, content) pairs."""

    def make(entries, compression=zipfile.ZIP_STORED):
        path = tmp_path / "upload.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return path

    return make


@pytest.fixture(scope="session")
def shipped():
    """Return the shipped 64 px `dcgan`."""
    return load_generator(ZOO / "dcgan" / "generator.safetensors")


@pytest.fixture(scope="session")
def shipped_fit(shipped):
    """What is fitted from it: some seconds, once."""
    return fit(shipped)
