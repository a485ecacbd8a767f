"""What the first view of the web page costs in Chromium, with a service of its own.

Prints a table for docs/results.md: bytes over the wire, time to the first cats and to a full
window of them, and layout shift, for a first visit and a second one with a warm cache.
"""

import shutil
import statistics
import sys
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.service import running

VISITS = 5
WINDOWS = {"phone, 360 x 740": (360, 740), "desktop, 1280 x 800": (1280, 800)}

WATCH = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
# Cats of the window, not those that are loaded ahead of scrolling.
FIGURES = """() => {
  const cats = [...document.querySelectorAll(".wall a")].filter((tile) => {
    const { top, bottom } = tile.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }).map((tile) => tile.querySelector("img"));
  if (!cats.length || !cats.every((cat) => cat.complete && cat.naturalWidth)) return null;
  const entries = performance.getEntriesByType("resource");
  const of = (cat) => entries.find((entry) => entry.name === cat.currentSrc)?.responseEnd ?? 0;
  const ends = cats.map(of).sort((one, other) => one - other);
  const code = entries.filter((entry) => entry.name.includes("/page/"));
  const page = performance.getEntriesByType("navigation")[0];
  const sum = (list) => list.reduce((total, entry) => total + entry.transferSize, 0);
  return {
    code: sum([page, ...code]), all: sum([page, ...entries]),
    first: ends[0], full: ends.at(-1), cats: cats.length, shift: window.shift,
  };
}"""


def main() -> int:
    """Measure a running service and print the table; return the exit status."""
    heads = ["window", "visit", "page and code", "all", "first cat", "full window", "layout shift"]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with running() as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, size in WINDOWS.items():
            visits = [_visits(browser, service.url, size) for _ in range(VISITS)]
            print(_row(name, "first", [first for first, _ in visits]))
            print(_row(name, "second", [second for _, second in visits]))
        browser.close()
    return 0


def _visits(browser: Browser, url: str, size: tuple[int, int]) -> tuple[Any, Any]:
    """Return the figures of a first visit and of another one with its cache."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(WATCH)
    page = context.new_page()
    figures = _visit(page, url), _visit(page, url)
    context.close()
    return figures


def _visit(page: Page, url: str) -> Any:
    page.goto(url)
    return page.wait_for_function(FIGURES).json_value()


def _row(name: str, visit: str, figures: list[dict[str, float]]) -> str:
    """Return a row of medians."""
    median = {key: statistics.median(each[key] for each in figures) for key in figures[0]}
    cells = [
        f"{name} ({median['cats']:.0f} cats)",
        visit,
        f"{median['code'] / 1000:.0f} kB",
        f"{median['all'] / 1000:.0f} kB",
        f"{median['first'] / 1000:.2f} s",
        f"{median['full'] / 1000:.2f} s",
        f"{median['shift']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
