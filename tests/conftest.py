"""Fixtures that every test may use."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return the folder of small real pictures: `cats/` and `landmarks/`; never write into it."""
    return Path(__file__).parent / "pictures"
