"""Comparisons whose jobs end at once."""

import pytest

from tests.models.comparison.comparisons import Stage


@pytest.fixture
def stage(store_with_cats, tmp_path):
    return Stage(store_with_cats, tmp_path / "comparison")
