"""Plots, drawn by themselves into the page."""

import pytest
from playwright.sync_api import expect

from tests.page.conftest import DESKTOP, PHONE

DRAW = """({ Plot, cursor }, { html, render }) => {
    const kimg = Array.from({ length: 400 }, (_, index) => index / 4);
    const curve = (scale, shift) => kimg.map((x) => scale * Math.exp(-x / 30) + shift + 0.03 * Math.sin(x * 7));
    const values = curve(1, 0.2);
    const series = [
        { label: "generator", values, band: [values.map((v) => v * 0.8), values.map((v) => v * 1.2)] },
        { label: "discriminator", values: curve(0.5, 0.15).map((v, index) => (index < 9 ? null : v)) },
    ];
    window.cursorOfPlots = cursor;
    const main = document.querySelector("main");
    render(html`<section class="content"><h1>Plots</h1>
        <${Plot} title="Loss" note="lower is better" x=${{ kimg, minutes: kimg.map((x) => x * 2) }} series=${series} />
        <${Plot} title="Memory" unit="MB" isLog x=${{ kimg }} series=${[{ label: "memory", values: curve(100, 1) }]} />
    </section>`, main.parentElement.appendChild(document.createElement("div")));
    main.remove();
}"""


@pytest.fixture
def plots(visit):
    def draw(*window):
        visitor = visit(*window)
        visitor.open("#/operations")
        visitor.run(DRAW, "plots.js", "vendor/vendor.js")
        visitor.page.locator(".u-wrap").nth(1).wait_for()
        return visitor

    return draw


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_plots_are_drawn(plots, size, scheme):
    visitor = plots(size, scheme)
    visitor.screenshot("plots")
    assert visitor.obstacles() == []


def test_arrow_keys_move_the_cursor_of_all_plots(plots):
    page = plots().page
    page.locator(".plot .canvas").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("PageUp")
    assert page.evaluate("cursorOfPlots.value") == 97
    expect(page.locator(".reading").nth(0)).to_contain_text("97 kimg: generator")
    expect(page.locator(".reading").nth(1)).to_contain_text("97 kimg: memory")


def test_the_pointer_moves_the_cursor(plots):
    page = plots().page
    page.locator(".plot .u-over").first.hover()
    assert 40 < page.evaluate("cursorOfPlots.value") < 60
    expect(page.locator(".reading").nth(1)).to_contain_text(" kimg: memory")


def test_every_plot_has_a_table_of_at_most_25_rows(plots):
    page = plots().page
    rows = page.locator(".plot table").first.locator("tbody tr")
    assert 10 < rows.count() <= 25
    expect(rows.last).to_contain_text("99.8")


def test_both_axes_may_be_logarithmic(plots):
    visitor = plots()
    for name in ("log y", "log x"):
        button = visitor.page.get_by_role("button", name=name).first
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
    visitor.screenshot("plots-logarithmic")
