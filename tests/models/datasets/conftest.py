"""Sources and stores for tests of data sets."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.open(str(tmp_path / "store"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return where data sets are built."""
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

    def make(entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]], **options: int) -> Path:
        path = tmp_path / "upload.zip"
        with zipfile.ZipFile(path, "w", **options) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return path

    return make
