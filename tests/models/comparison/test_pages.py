import base64
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.comparison.pages import PAGE_PX, html
from models.comparison.table import COLUMNS
from models.gan.recipes import recipe
from models.images.formats import encode_png
from models.store.records import JobStatus
from tests.models.comparison.comparisons import SHEET, Stage

FAILED = (JobStatus.FAILED, "<b>No</b> memory & more.")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold it against the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data

    def pictures(self) -> list[Image.Image]:
        """Return the embedded pictures, decoded."""
        sources = [value or "" for name, value in self.attributes if name == "src"]
        return [Image.open(BytesIO(base64.b64decode(s.partition("base64,")[2]))) for s in sources]


def _page(stage: Stage) -> Page:
    return Page((stage.folder / "index.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself(stage):
    """No script, no style sheet, no address: pictures are in it. Every tag is closed.

    The table comes first, then a figure a recipe with its sheet, title, paper and numbers. On a
    phone a wide table scrolls by itself.
    """
    stage.compare()
    page = _page(stage)
    assert page.open == []
    assert {"script", "link", "iframe", "a"}.isdisjoint(page.tags)
    values = [value or "" for name, value in page.attributes if name in ("src", "href")]
    assert values
    assert all(value.startswith("data:image/webp;base64,") for value in values)
    assert page.tags.index("table") < page.tags.index("figure")
    assert (page.tags.count("tr"), page.tags.count("figure"), page.tags.count("img")) == (4, 3, 3)
    assert page.tags.count("td") == 3 * len(COLUMNS)
    for name in ("dcgan", "wgan", "lsgan"):
        assert recipe(name).title in page.text
        assert recipe(name).source in page.text
    assert "KID (95 %) 0.0625 (0.06 to 0.065)" in page.text
    assert "fingerprint 0000" in page.text
    text = (stage.folder / "index.html").read_text(encoding="utf-8")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "color-scheme: light dark" in text
    assert text.index('<div class="scroll">') < text.index("<table>")


def test_sheets_are_kept_whole_and_shown_smaller(stage):
    """A sheet of 256 px cats would make the page too heavy for a phone."""
    comparison = stage.compare()
    assert (stage.folder / "sheets" / "wgan.png").read_bytes() == SHEET
    large = encode_png(np.full((2048, 2048, 3), (10, 200, 90), np.uint8))
    (picture,) = Page(html(comparison, {"wgan": large})).pictures()
    assert picture.size == (PAGE_PX, PAGE_PX)
    pixel = np.asarray(picture.convert("RGB"))[5, 5].astype(int)
    assert pixel == pytest.approx([10, 200, 90], abs=6)


def test_what_was_deleted_meanwhile_is_left_out(stage):
    stage.ends["wgan"] = FAILED
    first = stage.compare()
    stage.store.versions.delete("compare-dcgan-32", str(first.rows[0].version))
    stage.store.jobs.delete(str(first.rows[1].job))
    stage.compare()
    assert len(_page(stage).pictures()) == 1


def test_a_failed_job_shows_its_last_sample_and_its_reason_escaped(stage):
    stage.ends["wgan"] = FAILED
    stage.compare()
    assert (stage.folder / "sheets" / "wgan.png").read_bytes() == SHEET
    page = _page(stage)
    assert len(page.pictures()) == 3
    assert "Failed: <b>No</b> memory & more." in page.text
    assert "b" not in page.tags
