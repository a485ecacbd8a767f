"""Small real things for the tests of models/: pictures, a store with a dataset, a trainer."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from models.datasets.batches import BatchStream
from models.devices import FLOAT32, Precision
from models.gan.recipes import recipe
from models.store import Store
from models.store.records import Budget, TrainingOrder
from models.training.trainer import Trainer
from tests.records import add_dataset

OVERRIDES = {"width": 4, "batch": 8}


@pytest.fixture(scope="session")
def small_pictures(pictures: Path) -> NDArray[np.uint8]:
    """Sixty-four real cats at 32 px, uint8 (64, 32, 32, 3)."""
    files = sorted(pictures.rglob("*.jpg"))[:64]
    return np.stack([np.asarray(Image.open(f).convert("RGB").resize((32, 32))) for f in files])


@pytest.fixture
def make_trainer(small_pictures: NDArray[np.uint8]) -> Callable[..., Trainer]:
    """Build a tiny trainer of any recipe; equal arguments give equal trainers."""

    def make(
        name: str = "dcgan",
        seed: int = 0,
        precision: Precision = FLOAT32,
        size_px: int = 32,
        **overrides: object,
    ) -> Trainer:
        row, device, times = recipe(name), torch.device("cpu"), size_px // 32
        settings = row.with_overrides({**OVERRIDES, **overrides})
        pictures = small_pictures.repeat(times, 1).repeat(times, 2)
        stream = BatchStream(pictures, settings.batch, seed, device)
        return Trainer(
            row, settings, size_px, stream, seed=seed, device=device, precision=precision
        )

    return make


@pytest.fixture
def store_with_cats(tmp_path: Path, small_pictures: NDArray[np.uint8]) -> Store:
    """A store that holds the dataset "small" at 32 px."""
    store = Store.open(str(tmp_path / "store"))
    add_dataset(store, tmp_path, {"32": small_pictures[4:], "32-heldout": small_pictures[:4]})
    return store


@pytest.fixture
def small_order() -> Callable[..., TrainingOrder]:
    """Make an order for a job of a few seconds."""

    def make(**changes: object) -> TrainingOrder:
        values: dict[str, object] = {
            "recipe": "dcgan",
            "dataset": "small",
            "model": "tiny",
            "size_px": 32,
            "budget": Budget(kimg=0.08),
            "overrides": OVERRIDES,
        }
        return TrainingOrder(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return where datasets are built."""
    return tmp_path / "cache"


@pytest.fixture
def noise() -> Callable[..., Image.Image]:
    """Return a maker of pictures that differ from seed to seed."""

    def make(seed: int, size: tuple[int, int] = (64, 64), mode: str = "RGB") -> Image.Image:
        cells = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        return Image.fromarray(cells).resize(size, Image.Resampling.NEAREST).convert(mode)

    return make


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """Return a function from picture to file content."""

    def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return encode


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of zips from (name or ZipInfo, content) pairs."""

    def make(
        entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]],
        compression: int = zipfile.ZIP_STORED,
    ) -> Path:
        path = tmp_path / "upload.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return path

    return make
