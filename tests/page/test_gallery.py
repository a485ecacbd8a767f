"""The wall: without end, by keyboard alone, and where one was after Back and reload."""

import re

from playwright.sync_api import expect

from tests.page.conftest import PHONE


def _address(page) -> str:
    return page.evaluate("location.hash")


def _wall(visit, path="", *window):
    visitor = visit(*window)
    page = visitor.open(path)
    page.locator(".wall img").first.wait_for()
    return visitor, page


def _scroll_to(page, seed: int) -> None:
    """Scroll by the wheel until a seed's tile is in the window."""
    page.mouse.move(300, 400)
    for _ in range(200):
        page.mouse.wheel(0, 700)
        tile = page.locator(f"#cat-{seed}")
        if tile.count() and (tile.bounding_box() or {"y": 1e9})["y"] < 600:
            return
    raise AssertionError(f"cat {seed} was never reached")


def test_the_wall_keeps_coming_and_far_rows_are_unmounted(visit):
    _, page = _wall(visit)
    _scroll_to(page, 1000)
    assert page.locator("#cat-0").count() == 0
    assert page.locator(".wall a").count() <= 160
    expect(page.locator("#cat-1000 img")).to_have_js_property("complete", True)
    assert page.locator("#cat-1000 img").evaluate("image => image.naturalWidth") == 64


def test_the_address_has_the_first_seed_and_a_reload_stands_there(visit):
    visitor, page = _wall(visit)
    _scroll_to(page, 700)
    page.wait_for_function("() => /seed=[1-9]/.test(location.hash)")
    page.wait_for_timeout(300)
    address, top = _address(page), page.evaluate("scrollY")
    page.reload()
    page.locator(".wall img").first.wait_for()
    visitor.settle()
    assert _address(page) == address
    assert abs(page.evaluate("scrollY") - top) < 2


def test_a_shared_address_begins_with_its_seed_and_earlier_cats_are_above(visit):
    _, page = _wall(visit, "#/?seed=4096")
    box = page.locator("#cat-4096").bounding_box()
    assert 0 <= box["y"] < 60
    page.mouse.move(300, 400)
    page.mouse.wheel(0, -400)
    expect(page.locator("#cat-4090")).to_be_in_viewport()


def test_back_returns_to_the_focused_tile(visit):
    _, page = _wall(visit)
    _scroll_to(page, 300)
    page.wait_for_timeout(300)
    page.locator("#cat-300").focus()
    page.keyboard.press("ArrowRight")
    top = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("Cat 301")
    expect(page.locator("main h1")).to_be_focused()
    page.go_back()
    expect(page.locator("#cat-301")).to_be_focused()
    assert abs(page.evaluate("scrollY") - top) < 2
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#cat-300")).to_be_focused()


def test_arrow_keys_move_in_all_directions_and_bring_rows_into_view(visit):
    _, page = _wall(visit)
    page.locator("#cat-0").focus()
    columns = page.evaluate(
        "[...document.querySelectorAll('.wall a')].filter(a => Math.abs(a.getBoundingClientRect().y"
        " - document.querySelector('#cat-0').getBoundingClientRect().y) < 2).length"
    )
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    focused = page.locator(f"#cat-{20 * columns}")
    expect(focused).to_be_focused()
    expect(focused).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"#cat-{19 * columns + 1}")).to_be_focused()
    assert page.locator(".wall a[tabindex='0']").count() == 1


def test_dice_seed_box_and_model_change_the_wall(visit):
    _, page = _wall(visit)
    page.get_by_label("Seed of the first cat").fill("123456")
    page.keyboard.press("Enter")
    expect(page.locator("#cat-123456")).to_be_in_viewport()
    page.get_by_label("Model", exact=True).select_option("rahinge")
    page.wait_for_function("() => location.hash.includes('model=rahinge')")
    source = page.locator("#cat-123456 img").get_attribute("src")
    assert re.search(r"/cats/rahinge@\w{12}/123456\.png$", source)
    page.get_by_role("button", name="Other cats").click()
    page.wait_for_function("() => !location.hash.includes('123456')")
    page.go_back()
    expect(page.locator("#cat-123456")).to_be_in_viewport()


def test_the_card_is_at_hand_with_version_and_truncation(visit):
    visitor, page = _wall(visit)
    page.get_by_role("button", name="About this model").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("lower is better")
    visitor.screenshot("gallery-card")
    assert visitor.obstacles() == []
    page.get_by_label("Truncation").fill("0.5")
    page.wait_for_function("() => location.hash.includes('truncation=0.5')")
    assert "truncation=0.5" in page.locator("#cat-0 img").get_attribute("src")


def test_an_unknown_model_is_told(visit):
    page = visit().open("#/?model=lynx")
    expect(page.locator(".state")).to_contain_text("No cats of lynx are served")


def test_the_first_view_does_not_shift(visit):
    visitor, page = _wall(visit, "", PHONE)
    visitor.settle()
    assert page.evaluate("shift") < 0.01
