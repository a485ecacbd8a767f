"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

from models.store import Store

# Before anything imports torch, and for the processes that tests start: pytest-xdist runs one
# test for each core, and the threads of several would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251 - an environment is handed on


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return the folder of small real pictures: `cats/` and `landmarks/`; never write into it."""
    return Path(__file__).parent / "pictures"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the event loop of async tests, which is the product's."""
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store in a folder."""
    return Store.open(str(tmp_path / "store"))
