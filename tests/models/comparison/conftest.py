"""Comparisons whose jobs end at once."""

from pathlib import Path

import pytest

from models.store import Store
from tests.models.comparison.comparisons import Stage


@pytest.fixture
def stage(store_with_cats: Store, tmp_path: Path) -> Stage:
    """Return where comparisons are made."""
    return Stage(store_with_cats, tmp_path / "comparison")
