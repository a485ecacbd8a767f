"""Every view, at phone and desktop size, light and dark."""

import pytest

from tests.page.conftest import DESKTOP, PHONE

VIEWS = {
    "gallery": "",
    "training": "#/training",
    "models": "#/models",
    "datasets": "#/datasets",
    "operations": "#/operations",
}
"""Addresses of views that need nothing but the zoo; tests of other views make what they show."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_shown_without_obstacles(visit, view, size, scheme):
    """Neither axe-core finds something serious, nor does it scroll sideways."""
    visitor = visit(size, scheme)
    page = visitor.open(VIEWS[view])
    visitor.settle()
    visitor.screenshot(view)
    assert page.locator("main h1").count() == 1
    assert visitor.obstacles() == []
    assert visitor.overflow() <= 0
