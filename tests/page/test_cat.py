"""A cat's own page."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.page.conftest import DESKTOP, PHONE


@pytest.fixture
def version(studio) -> str:
    """Return the version of dcgan in service."""
    return studio.get("/models/dcgan").json()["serving"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_cat_is_shown_without_obstacles(visit, version, size, scheme):
    visitor = visit(size, scheme)
    page = visitor.open(f"#/cat/dcgan@{version}/7")
    expect(page.locator(".cat-card")).to_contain_text("KID")
    visitor.settle()
    visitor.screenshot("cat")
    assert visitor.obstacles() == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_walk_is_scrubbed(visit, version):
    visitor = visit()
    page = visitor.open(f"#/cat/dcgan@{version}/7")
    page.get_by_label("Seed of the other cat").fill("23")
    page.get_by_role("button", name="Walk", exact=True).click()
    page.wait_for_function("() => location.hash.includes('walk=23')")
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    expect(page.locator(".walk-note")).to_have_text("")
    scrubber = page.get_by_label("Place on the walk")
    shown = "document.querySelector('canvas').toDataURL()"
    pictures = set()
    for place in ("0", "500", "1000"):
        scrubber.fill(place)
        page.wait_for_function(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        )
        pictures.add(page.evaluate(shown))
    assert len(pictures) == 3
    visitor.screenshot("walk")
    page.reload()
    expect(page.locator("canvas")).to_be_visible()
    page.get_by_role("button", name="End the walk").first.click()
    expect(page.locator("img.cat-large")).to_be_visible()


def test_neighbors_lead_to_their_own_pages(visit, version):
    page = visit().open(f"#/cat/dcgan@{version}/7")
    page.locator(".cat-neighbors a").nth(2).click()
    expect(page.locator("header p", has_text="a neighbor of")).to_contain_text("cat 7")
    assert "near=7&distance=0.3" in page.locator("img.cat-large").get_attribute("src")
    page.go_back()
    expect(page.locator("main h1")).to_have_text("Cat 7")


def test_left_and_right_go_to_the_cats_beside(visit, version):
    page = visit().open(f"#/cat/dcgan@{version}/7")
    page.keyboard.press("ArrowRight")
    expect(page.locator("main h1")).to_have_text("Cat 8")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("main h1")).to_have_text("Cat 6")


DROP = """(base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "picture.png", { type: "image/png" }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def _base64(content: bytes) -> str:
    import base64

    return base64.b64encode(content).decode()


def test_a_dropped_picture_of_ours_opens_its_cat(visit, studio, version):
    visitor = visit()
    page = visitor.open("#/models")
    picture = httpx.get(f"{studio.url}/cats/dcgan@{version}/42.png?near=7&distance=0.25").content
    page.evaluate(DROP, _base64(picture))
    expect(page.locator("main h1")).to_have_text("Cat 42")
    assert "near=7&distance=0.25" in page.locator("img.cat-large").get_attribute("src")


def test_a_foreign_picture_is_told(visit):
    page = visit().open()
    page.evaluate(DROP, _base64(b"GIF89a"))
    expect(page.locator(".messages")).to_contain_text("does not say which cat it is")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("dcgan@0123456789ab/7", "There is no version"),
        ("lynx@0123456789ab/7", "There is no"),
        ("dcgan@0123456789ab/seven", "is no seed"),
        ("<img src=x onerror=alert(1)>@1/7", "no"),
    ],
)
def test_a_bad_address_is_told(visit, path, message):
    page = visit().open(f"#/cat/{path}")
    expect(page.locator(".state")).to_contain_text(message)


def test_a_model_alone_leads_to_its_version_in_service(visit, version):
    visitor = visit()
    page = visitor.open("#/cat/dcgan/7")
    page.wait_for_url(f"**/#/cat/dcgan@{version}/7")
    expect(page.locator(".cat-card")).to_contain_text("KID")
