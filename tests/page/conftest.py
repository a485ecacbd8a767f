"""A browser, and a real service whose page it opens."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from models.jobs.dataset_import import import_dataset
from models.store import Store
from tests.integration.conftest import Service
from tests.records import dataset_record

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESKTOP = (360, 740), (1280, 800)
IMAGES = Path(__file__).parents[2] / "docs" / "images"
PICTURES = {"cat-1280-dark": "page-cat.webp"}
"""Screenshots that the documentation shows, under other names."""
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
SERIOUS = ("serious", "critical")

# Before any script of the page: what its policy forbids is written down.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
// Layout shifts that no input caused, summed up.
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


# Not for the session: while Playwright runs it occupies this thread's event loop, and async tests
# of other files could not run.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser; skip without one, except in CI."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            message = "NO BROWSER: the page is not tested. Install the package chromium."
            # A green run that never opened the page would be worth nothing.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)  # noqa: TID251
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory) -> Iterator[Service]:
    """Return a running service with the generators of the zoo; tests add jobs, but no models."""
    service = Service(tmp_path_factory.mktemp("studio"))
    yield service.wait_until_ready()
    service.kill()


@dataclass
class Visitor:
    """Someone with a browser window.

    Attributes:
        page: The window.
        url: Where the service is.
        mistakes: Errors of scripts, and requests that failed.
    """

    page: Page
    url: str
    mistakes: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> Page:
        """Open a view, such as "#/models", and wait for it."""
        self.page.goto(f"{self.url}/{path}")
        self.page.locator("main").wait_for()
        return self.page

    def run(self, script: str, *modules: str) -> Any:
        """Run a function of our modules, such as `({ Plot }) => ...`, in the page; return its result."""
        load = ", ".join(f'import(base + "{module}")' for module in modules)
        return self.page.evaluate(
            f"""async () => {{
                const base = document.querySelector("script[type=module]").src.replace("main.js", "");
                return ({script})(...await Promise.all([{load}]));
            }}"""
        )

    def settle(self) -> None:
        """Wait until the view neither loads nor changes."""
        # Not "networkidle": a stream of events never ends.
        self.page.wait_for_function("""() =>
            document.querySelectorAll('main h1').length > 0
            && document.querySelectorAll('.state.is-late').length === 0
            && [...document.images].every((image) => image.complete || image.loading === 'lazy')
        """)

    def screenshot(self, name: str) -> None:
        """Save what the window shows, named for view, size and color scheme."""
        size = self.page.viewport_size
        assert size is not None
        scheme = self.page.evaluate(
            "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
        )
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}-{size['width']}-{scheme}.png"
        self.page.screenshot(path=path)
        # `make page-pictures` renews the pictures of the documentation.
        shown = PICTURES.get(path.stem)
        if shown and os.environ.get("CATTERY_TEST_PICTURES"):  # noqa: TID251
            Image.open(path).convert("RGB").save(IMAGES / shown, quality=80, method=6)

    def overflow(self) -> int:
        """Return by how many pixels the view is wider than the window."""
        # Not `innerWidth`: a phone zooms out until all fits.
        return self.page.evaluate("document.documentElement.scrollWidth - screen.width")

    def violations(self) -> list[str]:
        """Return what the page's policy forbade."""
        return self.page.evaluate("window.violations ?? []")

    def obstacles(self) -> list[str]:
        """Return the serious findings of axe-core: rule, and where."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]


@pytest.fixture
def visit(chromium: Browser, studio: Service) -> Iterator[Callable[..., Visitor]]:
    """Return what opens a window of a size; no script may fail and no policy be violated in it."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def start(
        size: tuple[int, int] = DESKTOP,
        scheme: Literal["light", "dark"] = "light",
        url: str = "",
    ) -> Visitor:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
        )
        contexts.append(context)
        context.add_init_script(WATCH)
        visitor = Visitor(context.new_page(), url or studio.url)
        visitor.page.on("pageerror", lambda error: visitor.mistakes.append(str(error)))
        visitors.append(visitor)
        return visitor

    yield start
    mistakes = [mistake for visitor in visitors for mistake in visitor.mistakes]
    forbidden = [each for visitor in visitors for each in visitor.violations()]
    for context in contexts:
        context.close()
    assert mistakes == []
    assert forbidden == []


@pytest.fixture(scope="session")
def workshop(tmp_path_factory, pictures: Path) -> Iterator[Service]:
    """Return a running service with the dataset `cats`, in which tests order trainings."""
    folder = tmp_path_factory.mktemp("workshop")
    few = folder / "few"  # each is one more forward pass of a large network
    few.mkdir()
    for picture in sorted((pictures / "cats").glob("*.jpg"))[:40]:
        shutil.copy(picture, few)
    store = Store.open(str(folder / "data" / "store"))
    import_dataset(store, "cats", few, cache=folder / "data" / "cache", statistics=False)
    preview = folder / "data" / "store" / "datasets" / "cats" / "preview.png"
    # More than a batch, for orders that are only estimated.
    many = dataset_record({"32": 9000, "64": 9000, "128": 9000}, 900, name="abyssinians")
    store.datasets.add(many, {"preview.png": preview})
    service = Service(folder, CATTERY_MIN_FREE_MB="1")
    yield service.wait_until_ready()
    service.kill()
