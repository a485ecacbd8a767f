"""Several tabs, a restarted service, keys, proxies: what happens around an open page."""

import re
import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from models.store import Store
from models.store.keys import Scope
from tests.integration.conftest import Service
from tests.page.conftest import PHONE
from tests.page.histories import Training
from tests.page.prefixing_proxy import proxied

VIEWS = ("", "#/training", "#/models", "#/datasets", "#/operations")
TABS = 7  # one more than a browser opens connections to a host
KEY = "whiskers-1795"


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Service]]:
    """Return what starts a service in this test's folder, which ends with the test."""
    started: list[Service] = []

    def service(**settings: str) -> Service:
        started.append(Service(tmp_path, **settings))
        return started[-1].wait_until_ready()

    yield service
    for each in started:
        each.kill()


def _heading(page: Page) -> str:
    page.locator("main h1").wait_for()
    return page.locator("main h1").inner_text()


@pytest.mark.parametrize("path", VIEWS)
def test_reload_and_back_lead_to_the_same_view(visit, path):
    visitor = visit(PHONE)
    page = visitor.open(path)
    visitor.settle()
    heading, address = _heading(page), page.evaluate("location.hash")
    page.reload()
    visitor.settle()
    assert _heading(page) == heading
    other = "Models" if heading != "Models" else "Training"
    page.get_by_role("link", name=other, exact=True).click()
    expect(page.locator("main h1")).to_have_text(other)
    page.go_back()
    expect(page.locator("main h1")).to_contain_text(heading)
    assert page.evaluate("location.hash") == address


def test_seven_tabs_share_one_stream(visit, studio):
    """The seventh loads, and all of them are told; one connection is enough for that."""
    training = Training(Store.open(str(studio.data / "store"))).go_on(8)
    visitor = visit()
    streams: set[Request] = set()
    context = visitor.page.context
    context.on("request", lambda it: streams.add(it) if "/events" in it.url else None)
    for ended in ("requestfinished", "requestfailed"):
        context.on(ended, lambda it: streams.discard(it))
    tabs = [visitor.page, *(context.new_page() for _ in range(TABS - 1))]
    for tab in tabs:
        tab.goto(f"{studio.url}/#/job/{training.record.id}")
        tab.locator(".job-sheet img").wait_for()
    training.go_on(4)
    for tab in tabs:
        expect(tab.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/6\.png$"))
    assert [request.url for request in streams] == [f"{studio.url}/events"]
    training.end()
    for tab in tabs:
        expect(tab.locator(".badge").first).to_have_text("finished")


def test_a_closed_tab_hands_the_stream_on(visit, studio):
    training = Training(Store.open(str(studio.data / "store"))).go_on(4)
    visitor = visit()
    first, second = visitor.page, visitor.page.context.new_page()
    for tab in (first, second):
        tab.goto(f"{studio.url}/#/job/{training.record.id}")
        tab.locator(".job-sheet img").wait_for()
    first.goto("about:blank")
    training.go_on(4).end()
    expect(second.locator(".badge").first).to_have_text("finished")
    assert second.locator(".job-events li").count() == len(_listed(studio, training))


# As if the answer of the tab that reads the stream came late, after events of some job.
ASK_LATE = """
const post = BroadcastChannel.prototype.postMessage;
BroadcastChannel.prototype.postMessage = function (message) {
  if (message.wants) setTimeout(() => post.call(this, message), 4000);
  else post.call(this, message);
};
"""


def test_a_tab_that_opens_amid_events_knows_all_jobs(visit, studio):
    store = Store.open(str(studio.data / "store"))
    quiet, busy = Training(store).go_on(4), Training(store).go_on(4)
    visitor = visit()
    first, second = visitor.page, visitor.page.context.new_page()
    first.goto(f"{studio.url}/#/training")
    first.locator(f"#job-{quiet.record.id}").wait_for()
    second.add_init_script(ASK_LATE)
    second.goto(f"{studio.url}/#/training")
    second.locator("main h1").wait_for()
    second.wait_for_timeout(500)
    busy.go_on(1)
    second.locator(f"#job-{busy.record.id}").wait_for()
    expect(second.locator(f"#job-{quiet.record.id}")).to_be_visible(timeout=1000)
    quiet.end()
    busy.end()


def _listed(service: Service, training: Training) -> list[str]:
    """Return the entries of a history that the page lists."""
    unlisted = ("progress", "sample", "work")
    events = Store.open(str(service.data / "store")).jobs.events(training.record.id)
    return [event.type for event in events if event.type not in unlisted]


@pytest.mark.slow
def test_a_page_survives_a_restart_of_the_service(visit, start):
    """It says so in one quiet line, and then has everything once, what came meanwhile included."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    service = start(CATTERY_PORT=port)
    training = Training(Store.open(str(service.data / "store"))).go_on(10)
    visitor = visit(PHONE, "dark", url=service.url)
    page = visitor.open(f"#/job/{training.record.id}")
    page.locator(".job-sheet img").wait_for()
    service.process.send_signal(signal.SIGTERM)
    service.wait_for_end()
    expect(page.locator(".reconnecting")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
    visitor.screenshot("job-reconnecting")
    training.go_on(10)
    start(CATTERY_PORT=port)
    expect(page.locator(".reconnecting")).to_have_count(0, timeout=15_000)
    training.go_on(10)
    expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/14\.png$"))
    expect(page.locator(".job-events li")).to_have_count(len(_listed(service, training)))
    first = page.locator(".plot table").first.locator("tbody th").all_inner_texts()
    assert len(first) == len(set(first))
    expect(page.locator(".reading").first).to_contain_text("15 kimg")


@pytest.mark.slow
def test_a_key_is_asked_for_kept_for_the_tab_and_never_in_an_address(visit, start):
    service = start(CATTERY_API_KEY=KEY)
    training = Training(Store.open(str(service.data / "store"))).go_on(4)
    visitor = visit(PHONE, url=service.url)
    addresses: list[str] = []
    visitor.page.context.on("request", lambda request: addresses.append(request.url))
    page = visitor.open("#/training")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_count(0)  # looking is free
    page = visitor.open(f"#/job/{training.record.id}")
    page.get_by_role("button", name="Cancel").click()
    dialog.get_by_label("Key").fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("refused the key")
    visitor.screenshot("key-refused")
    assert visitor.obstacles() == []
    dialog.get_by_label("Key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("Canceling")
    assert training.journal._store.jobs.cancel_requested(training.record.id)
    page.reload()
    assert page.evaluate("sessionStorage.getItem('cattery.key')") == KEY
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".messages")).to_contain_text("Canceling")
    tab = page.context.new_page()
    tab.goto(f"{service.url}/#/job/{training.record.id}")
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.get_by_role("dialog")).to_contain_text("A key is needed")
    assert [it for it in [*addresses, page.url, tab.url] if KEY in it or "wrong" in it] == []
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]


@pytest.mark.slow
def test_a_key_without_the_scope_can_be_replaced(visit, start):
    service = start(CATTERY_API_KEY=KEY)
    store = Store.open(str(service.data / "store"))
    voter = store.keys.add("voter", [Scope.VOTE])[1]
    training = Training(store).go_on(4)
    page = visit(PHONE, url=service.url).open(f"#/job/{training.record.id}")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Cancel").click()
    dialog.get_by_label("Key").fill(voter)
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("requires a key with the scope 'train'; yours has vote.")
    dialog.get_by_label("Key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("Canceling")
    assert store.jobs.cancel_requested(training.record.id)


@pytest.mark.slow
def test_the_page_works_under_the_prefix_of_a_proxy(visit, start):
    service = start(CATTERY_ROOT_PATH="/cats/at/home")
    training = Training(Store.open(str(service.data / "store"))).go_on(4)
    refused: list[str] = []
    with proxied(service.url, "/cats/at/home") as url:
        visitor = visit(url=url)
        page = visitor.page
        page.on("response", lambda it: refused.extend([it.url] * (it.status >= 400)))
        version = service.get("/models/dcgan").json()["serving"]
        for path in (*VIEWS, f"#/cat/dcgan@{version}/7"):
            visitor.open(path)
            visitor.settle()
        visitor.open()
        expect(page.locator("#cat-0 img")).to_have_js_property("complete", True)
        assert page.locator("#cat-0 img").evaluate("image => image.naturalWidth") == 64
        visitor.open(f"#/job/{training.record.id}")
        expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/2\.png$"))
        training.go_on(4)
        expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/4\.png$"))
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".messages")).to_contain_text("Canceling")
        # The dataset of the zoo is not on this machine, so that there is no nearest picture.
        assert [it for it in refused if not it.endswith("/nearest.json")] == []
        page.goto("about:blank")


def _tab_to(page: Page, what: str, most: int = 40) -> None:
    """Press Tab until something has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("what => document.activeElement.matches(what)", what):
            return
    raise AssertionError(f"{what} was not reached by {most} times Tab")


def test_all_is_reached_by_keyboard_alone(visit, workshop):
    """From a cat to its page and back, to the form, a mistake in it, and the way past the bar."""
    page = visit(url=workshop.url).open()
    page.locator(".wall img").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    _tab_to(page, "#cat-0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("Cat 1")
    page.go_back()
    expect(page.locator("#cat-1")).to_be_focused()
    page.reload()
    page.locator(".wall img").first.wait_for()
    page.evaluate("document.activeElement.blur()")
    _tab_to(page, "a[href='#/training']")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_be_focused()
    page.get_by_role("form", name="New training").wait_for()
    _tab_to(page, ".training-amount")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("-3")
    _tab_to(page, ".training-more summary")
    page.keyboard.press("Enter")
    _tab_to(page, "[type=submit]")
    page.keyboard.press("Enter")
    expect(page.locator(".training-amount")).to_be_focused()
    expect(page.locator(".training-amount")).to_have_attribute("aria-invalid", "true")
