"""A job's page: live, and its whole history under one scrubber."""

import re

import pytest
from playwright.sync_api import expect

from models.store import Store
from models.store.records import JobStatus
from tests.page.conftest import DESKTOP, PHONE
from tests.page.histories import Training, queued


@pytest.fixture(scope="module")
def store(studio) -> Store:
    """Return the store of the running service."""
    return Store.open(str(studio.data / "store"))


@pytest.fixture(scope="module")
def ended(store) -> str:
    """Return a training that went well: 30 kimg, sheets every 2, snapshots every 5."""
    return Training(store).go_on(60).end().id


def _open(visit, job: str, *window, tail: str = ""):
    visitor = visit(*window)
    page = visitor.open(f"#/job/{job}{tail}")
    page.get_by_label("Moment of the training").wait_for()
    return visitor, page


def _sheet(page) -> str:
    return (
        page.locator(".job-sheet img").get_attribute("src").rpartition("/")[2].removesuffix(".png")
    )


def _event(page) -> str:
    return page.locator(".job-events li[aria-current]").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_job_is_shown_without_obstacles(visit, ended, size, scheme):
    visitor, page = _open(visit, ended, size, scheme)
    page.locator(".u-wrap").nth(1).wait_for()
    visitor.settle()
    visitor.screenshot("job")
    page.evaluate("scrollTo(0, 600)")
    visitor.screenshot("job-plots")
    assert visitor.obstacles() == []
    assert visitor.overflow() <= 0


def test_the_scrubber_moves_sheet_plots_events_and_address_by_keyboard(visit, ended):
    _, page = _open(visit, ended)
    assert _sheet(page) == "30"
    page.get_by_label("Moment of the training").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert _sheet(page) == "22"
    expect(page.locator(".reading").nth(0)).to_contain_text("22 kimg: generator")
    expect(page.locator(".reading").nth(1)).to_contain_text("20 kimg: KID")
    assert "20 kimg" in _event(page)
    page.wait_for_function("() => location.hash.endsWith('?at=22')")
    page.keyboard.press("ArrowRight")
    assert _sheet(page) == "24"


def test_the_moment_survives_a_reload(visit, ended):
    _, page = _open(visit, ended, tail="?at=12")
    for _ in range(2):
        page.locator(".u-wrap").nth(1).wait_for()
        page.wait_for_timeout(500)  # longer than the address waits for
        assert _sheet(page) == "12"
        assert page.evaluate("location.hash").endswith("?at=12")
        page.reload()


def test_the_pointer_over_a_plot_moves_the_sheet(visit, ended):
    _, page = _open(visit, ended)
    page.locator(".plot .u-over").first.hover()
    page.wait_for_function("() => /at=1[3-7]/.test(location.hash)")
    assert _sheet(page) in ("12", "14", "16")
    page.mouse.move(0, 0)  # leaves: all stay together
    expect(page.locator(".reading").nth(0)).to_contain_text(re.compile(r"^1[3-7](\.\d)? kimg"))


def test_an_event_moves_the_sheet(visit, ended):
    _, page = _open(visit, ended)
    page.locator(".job-events button", has_text="10 kimg").first.click()
    assert _sheet(page) == "10"
    page.wait_for_function("() => location.hash.endsWith('?at=10')")
    page.get_by_role("button", name="End").click()
    page.wait_for_function("() => !location.hash.includes('at=')")
    assert _sheet(page) == "30"


@pytest.mark.parametrize(("unit", "reading"), [("minutes", "3 minutes"), ("steps", "480 steps")])
def test_the_axis_is_in_other_units(visit, ended, unit, reading):
    _, page = _open(visit, ended)
    page.get_by_role("button", name=unit).click()
    expect(page.locator(".reading").first).to_contain_text(f"{reading}: generator")
    for name in ("log x", "log y"):
        page.get_by_role("button", name=name).first.click()
    expect(page.locator(".reading").first).to_contain_text(f"{reading}: generator 1.03")


def test_curves_and_film_can_be_taken_along(visit, ended):
    _, page = _open(visit, ended)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("seq,")
    assert len(lines) == 1 + 60 + 6
    film = page.request.get(page.get_by_role("link", name="Film").evaluate("link => link.href"))
    assert (film.status, film.headers["content-type"]) == (200, "image/webp")


def test_a_training_is_watched_until_it_collapses(visit, store):
    """Progress, sheets and the rule come by themselves, and the moment can be looked at."""
    training = Training(store, model="watched").go_on(8)
    visitor, page = _open(visit, training.record.id, PHONE)
    assert _sheet(page) == "4"
    expect(page.get_by_role("progressbar", name="training")).to_have_attribute("value", "4")
    training.go_on(12)
    expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/10\.png$"))
    expect(page.get_by_role("progressbar", name="training")).to_have_attribute("value", "10")
    visitor.screenshot("job-live")
    training.go_on(5).collapse()
    outcome = page.locator(".job-outcome")
    expect(outcome).to_contain_text("Collapsed: alike")
    expect(outcome).to_contain_text("0.041, at least 0.1 is healthy")
    expect(outcome).to_contain_text("use a larger batch")
    visitor.screenshot("job-collapsed")
    assert visitor.obstacles() == []
    page.get_by_role("button", name="Previous samples").click()
    page.wait_for_function("() => location.hash.includes('at=12')")
    page.get_by_role("link", name="See the samples of that moment").click()
    expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/12\.5\.png$"))
    page.go_back()
    expect(page.locator(".job-sheet img")).to_have_attribute("src", re.compile(r"/12\.png$"))


def test_a_job_that_is_deleted_while_looked_at_is_told(visit, studio, store):
    job = Training(store).go_on(4).end(JobStatus.FAILED, "The disk was full.").id
    _, page = _open(visit, job)
    expect(page.locator(".job-outcome")).to_contain_text("The disk was full.")
    store.jobs.delete(job)
    expect(page.get_by_role("alert")).to_contain_text("deleted")


def test_a_job_is_deleted_after_a_question(visit, store):
    job = Training(store).go_on(4).end().id
    _, page = _open(visit, job)
    page.get_by_role("button", name="Delete the job").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").last.click()
    expect(page.locator("main h1")).to_have_text("Training")
    expect(page.locator(f"#job-{job}")).to_have_count(0)
    assert job not in {record.id for record in store.jobs.list()}


def test_an_unknown_job_is_told(visit):
    page = visit().open("#/job/20200101-000000-abcdef")
    expect(page.get_by_role("alert")).to_contain_text("20200101-000000-abcdef")


def test_markup_in_a_job_is_text(visit, store):
    name = "<img src=x onerror=alert(1)>"
    training = Training(store, dataset=name).go_on(4)
    job = training.end(JobStatus.FAILED, f"{name} is damaged").id
    _, page = _open(visit, job)
    expect(page.locator("main h1")).to_contain_text(name)
    expect(page.locator(".job-outcome")).to_contain_text(f"{name} is damaged")
    assert page.locator("main img[src=x]").count() == 0


def test_a_waiting_job_can_be_canceled(visit, store):
    job = queued(store).id
    page = visit().open(f"#/job/{job}")
    expect(page.locator("main")).to_contain_text("Waiting for a worker")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".messages")).to_contain_text("Canceling")
    assert store.jobs.cancel_requested(job)
