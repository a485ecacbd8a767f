"""Ordering a training: the form is made of what the service says, and loses nothing."""

import re

import pytest
from playwright.sync_api import expect

from models.store import Store
from tests.page.conftest import DESKTOP, PHONE
from tests.page.histories import Training


@pytest.fixture
def training(visit, workshop):
    """Return what opens the form in a window."""

    def start(*window, tail: str = ""):
        visitor = visit(*window, url=workshop.url)
        page = visitor.open(f"#/training{tail}")
        page.get_by_role("form", name="New training").wait_for()
        return visitor, page

    return start


def _ordered(page) -> None:
    page.get_by_role("button", name="Start training").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_form_is_shown_without_obstacles(training, size, scheme):
    visitor, page = training(size, scheme)
    page.get_by_text("Hyperparameters").click()
    expect(page.locator(".training-expectation")).to_contain_text("of training")
    visitor.settle()
    visitor.screenshot("training-form")
    page.evaluate("scrollTo(0, 900)")
    visitor.screenshot("training-hyperparameters")
    assert visitor.obstacles() == []
    assert visitor.overflow() <= 0


def test_every_recipe_and_every_limit_of_the_table_is_shown(training, workshop):
    _, page = training()
    page.get_by_text("Hyperparameters").click()
    for recipe in workshop.get("/recipes").json()["recipes"]:
        page.get_by_label("Recipe").select_option(recipe["name"])
        text = page.locator(".training-more").inner_text()
        expect(page.locator(".training-typed")).to_contain_text(recipe["title"])
        for name, limit in recipe["limits"].items():
            field = page.get_by_label(name.replace("_", " "), exact=True)
            assert limit["description"] in text
            if isinstance(limit["default"], bool):
                chosen = field.evaluate("select => select.selectedOptions[0].text")
                assert chosen == f"{'yes' if limit['default'] else 'no'} (default)"
                continue
            assert float(field.get_attribute("placeholder")) == limit["default"]
            shown = re.search(
                re.escape(limit["description"]) + r" (\S+) to (\S+)\.", text.replace("\n", " ")
            )
            assert shown, name
            assert [float(end) for end in shown.groups()] == [limit["minimum"], limit["maximum"]]


def test_the_estimate_follows_what_is_typed(training):
    _, page = training()
    expectation = page.locator(".training-expectation")
    expect(expectation).to_contain_text("10 min of training")
    page.get_by_label("Budget", exact=True).fill("3")
    expect(expectation).to_contain_text("3 min of training")
    page.get_by_label("Unit of the budget").select_option("kimg")
    expect(expectation).to_contain_text("3 kimg")


def test_mistakes_are_told_at_their_fields_and_nothing_typed_is_lost(training):
    visitor, page = training(PHONE)
    page.get_by_label("Model").fill("My Cats!")
    page.get_by_text("Hyperparameters").click()
    page.get_by_label("width", exact=True).fill("9999")
    _ordered(page)
    expect(page.locator("[aria-invalid=true]").first).to_be_focused()
    width = page.get_by_label("width", exact=True)
    expect(width).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"[id='{width.get_attribute('id')}-error']")).to_contain_text("256")
    visitor.screenshot("training-mistake")
    assert visitor.obstacles() == []
    for _ in range(2):
        expect(width).to_have_value("9999")
        expect(page.get_by_label("Model")).to_have_value("My Cats!")
        page.reload()
        page.get_by_role("form", name="New training").wait_for()
    width.fill("8")  # mended in place: the fields stay open under one's hands
    expect(width).to_be_focused()
    expect(width).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Model")).to_have_attribute("aria-invalid", "true")
    expect(width).to_be_visible()


@pytest.mark.parametrize("amount", ["0", "-1", "a lot", "1e9"])
def test_a_budget_out_of_range_is_told_at_the_budget(training, amount):
    _, page = training()
    budget = page.get_by_label("Budget", exact=True)
    budget.fill(amount)
    _ordered(page)
    expect(budget).to_have_attribute("aria-invalid", "true")
    expect(budget).to_have_value(amount)


def test_an_order_is_copied_from_a_job(training, workshop):
    store = Store.open(str(workshop.data / "store"))
    order: dict = {"size_px": 32, "seed": 7, "overrides": {"width": 8, "mirror": False}}
    job = Training(store, **order).go_on(4).end().id
    visitor, page = training(tail=f"?again={job}")
    expect(page.get_by_label("width", exact=True)).to_have_value("8")
    expect(page.get_by_label("mirror", exact=True)).to_have_value("false")
    expect(page.get_by_label("Seed")).to_have_value("7")
    expect(page.get_by_label("Size")).to_have_value("32")
    expect(page.get_by_label("Unit of the budget")).to_have_value("kimg")
    assert page.evaluate("location.hash") == "#/training"
    page = visitor.open(f"#/job/{job}")
    page.get_by_role("link", name="Train further").click()
    expect(page.locator(".training-from")).to_contain_text(job)
    page.get_by_role("button", name="Begin anew").click()
    expect(page.locator(".training-from")).to_have_count(0)


def test_an_order_of_a_job_that_is_gone_is_told(training):
    _, page = training(tail="?again=20200101-000000-abcdef")
    expect(page.locator(".messages")).to_contain_text("20200101-000000-abcdef")


def test_without_pictures_the_way_to_them_is_shown(visit, studio):
    visitor = visit(PHONE, url=studio.url)
    page = visitor.open("#/training")
    page.get_by_role("link", name="Add pictures").click()
    expect(page.locator("main h1")).to_contain_text("Datasets")
