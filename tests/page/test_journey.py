"""The walk of a new user: from the first cat to a promoted version of their own, and back."""

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import DESKTOP, PHONE

TRAINED_MS = 150_000  # on two busy cores; most of it is measuring
STARTED_MS = 90_000  # the worker's first job imports everything

SMALL = {"width": "4", "z dim": "8", "batch": "8"}


def _share_a_cat(page: Page) -> str:
    """Open the third cat of the wall; return its permalink's path."""
    page.locator("#cat-2").click()
    expect(page.locator("main h1")).to_have_text("Cat 2")
    source = page.locator("main img").first.get_attribute("src") or ""
    page.go_back()
    expect(page.locator("#cat-2")).to_be_focused()
    return source


def _order(page: Page, seed: int) -> None:
    """Order the smallest training there is."""
    page.get_by_role("link", name="Training", exact=True).click()
    page.get_by_label("Dataset").select_option("cats")
    page.get_by_label("Budget", exact=True).fill("0.8")
    page.get_by_label("Unit of the budget").select_option("kimg")
    page.get_by_label("Put into service").select_option("always")
    page.get_by_text("Hyperparameters").click()
    for label, value in SMALL.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Seed").fill(str(seed))
    expect(page.locator(".training-expectation")).to_contain_text("0.8 kimg")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("main h1")).to_have_text("dcgan on cats")


@pytest.mark.slow
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_from_the_first_cat_to_ones_own_and_back(visit, workshop, size):
    def serving() -> str:
        return workshop.get("/models/dcgan").json()["serving"]

    before = serving()
    visitor = visit(size, "dark", url=workshop.url)
    page = visitor.open()
    page.locator(".wall img").first.wait_for()
    shared = _share_a_cat(page)
    assert page.request.get(shared).headers["content-type"] == "image/png"

    _order(page, size[0])
    expect(page.locator(".job-phases [aria-current=step]")).to_be_visible(timeout=STARTED_MS)
    visitor.screenshot("journey-training")
    expect(page.locator(".badge").first).to_have_text("finished", timeout=TRAINED_MS)
    outcome = page.locator(".job-outcome")
    expect(outcome.get_by_role("link", name="Its cats")).to_be_visible()
    visitor.screenshot("journey-trained")
    assert visitor.overflow() <= 0
    own = serving()
    assert own != before

    scrubber = page.get_by_label("Moment of the training")
    scrubber.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.hash.includes('at=')")
    outcome.get_by_role("link", name="Its cats").click()
    expect(page.locator(f".wall img[src*='dcgan@{own}']").first).to_be_visible()
    page.go_back()
    outcome.get_by_role("link", name="All versions").click()
    expect(page.locator("main h1")).to_have_text("dcgan")
    expect(page.locator("main")).to_contain_text(own)
    expect(page.locator("main")).to_contain_text(before)
    visitor.screenshot("journey-compared")
    assert visitor.overflow() <= 0

    page.get_by_role("button", name="Roll back to").click()
    expect(page.locator(".messages")).to_contain_text("Rolled back")
    assert serving() == before
    assert page.request.get(shared).ok  # what was shared stays
