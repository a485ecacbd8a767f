"""Operations: whether all is well, on one screen, and what to do if not."""

import json

import pytest
from playwright.sync_api import expect

from models.store import Store
from models.store.records import JobStatus, Phase
from tests.page.conftest import DESKTOP, PHONE
from tests.page.histories import Training, queued

GIB = 2**30


@pytest.fixture
def operations(visit, studio):
    """Return what opens the view in a window, with parts of the service's answer changed."""
    answer = studio.get("/status").json()

    def start(*window, **changes):
        visitor = visit(*window)
        if changes:
            changed = {**answer, **changes}
            visitor.page.route("**/status", lambda route: route.fulfill(json=changed))
        page = visitor.open("#/operations")
        page.locator(".operations-verdict").wait_for()
        return visitor, page

    start.answer = answer  # type: ignore[attr-defined]
    return start


def test_all_is_well(operations, studio):
    _, page = operations()
    expect(page.locator(".operations-verdict")).to_have_text("All is well.")
    status = studio.get("/status").json()
    main = page.locator("main")
    for shown in (status["version"], *status["service"]["loaded"], "idle"):
        expect(main).to_contain_text(shown)
    expect(main).to_contain_text("Job queue: ok")


def test_the_queue_is_in_order_and_a_job_can_be_canceled(operations, studio):
    store = Store.open(str(studio.data / "store"))
    running = Training(store).go_on(10)
    first, second = queued(store, seed=1).id, queued(store, seed=2).id
    # The worker would take them, were they its own: so the queue is shown by hand.
    views = [studio.get(f"/jobs/{job}").json() for job in (first, second)]
    queue = [{"position": n, "waiting_s": 5.0, "job": job} for n, job in enumerate(views, 1)]
    visitor, page = operations(
        PHONE, queue=queue, running=[studio.get(f"/jobs/{running.record.id}").json()]
    )
    page.locator(f"#job-{second}").wait_for()
    visitor.screenshot("operations-busy")
    assert visitor.obstacles() == []
    assert visitor.overflow() <= 0
    rows = page.locator("ol.rows > li a").evaluate_all("links => links.map(link => link.id)")
    ours = [f"job-{first}", f"job-{second}"]
    assert [row for row in rows if row in ours] == ours
    expect(page.get_by_label(f"Progress of {running.record.id}")).to_have_attribute("value", "5")
    page.get_by_role("button", name=f"Cancel job {second}").click()
    expect(page.locator(".messages")).to_contain_text("Canceling")
    assert store.jobs.get(second).status is JobStatus.CANCELED
    assert store.jobs.get(first).status is JobStatus.QUEUED


@pytest.mark.parametrize("view", ["training", "operations"])
def test_a_bar_is_that_of_the_present_phase(visit, studio, view):
    """A training that measures has worked its budget off, but is not done."""
    training = Training(Store.open(str(studio.data / "store"))).go_on(200)
    training.journal.phase(Phase.MEASURING)
    page = visit().open(f"#/{view}")
    bar = page.get_by_label(f"Progress of {training.record.id}")
    expect(bar).to_be_visible()
    expect(bar).not_to_have_attribute("value", "100")
    training.end()


def test_ended_jobs_are_cleared_after_a_question(operations, studio):
    store = Store.open(str(studio.data / "store"))
    good = Training(store).go_on(4).end().id
    bad = [Training(store).end(JobStatus.FAILED, "No memory.").id for _ in range(2)]
    _, page = operations()
    page.get_by_role("button", name="Delete all but finished").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What they published stays")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".messages")).to_contain_text("jobs deleted")
    expect(page.get_by_role("button", name="Delete all but finished")).to_have_count(0)
    ids = {record.id for record in store.jobs.list()}
    assert good in ids
    assert not ids & set(bad)


@pytest.mark.parametrize(
    ("changes", "verdict", "remedy"),
    [
        ({"workers": [], "queue": []}, "Cats are served. 1 thing to look at.", "cattery worker"),
        ({"store_free_bytes": GIB}, "something is wrong", "CATTERY_MIN_FREE_MB"),
        ({"store_free_bytes": 3 * GIB}, "1 thing to look at", "CATTERY_MIN_FREE_MB"),
        ({"data_free_bytes": GIB}, "something is wrong", "CATTERY_MIN_FREE_MB"),
        ({"data_free_bytes": 3 * GIB, "min_free_bytes": 4 * GIB}, "is wrong", "data folder"),
        ({"queue_note": "moved aside."}, "1 thing to look at", "moved aside."),
        ({"status": "not ready"}, "Cats are not served.", ""),
    ],
)
def test_what_is_wrong_is_said_first_with_its_remedy(operations, changes, verdict, remedy):
    _, page = operations(**changes)
    expect(page.locator(".operations-verdict")).to_contain_text(verdict)
    expect(page.locator(".operations-verdict")).to_contain_text(remedy)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_redis_is_away(operations, size):
    checks = {**operations.answer["checks"], "queue": "Redis does not respond: refused."}
    visitor, page = operations(size, "dark", checks=checks, workers=[])
    verdict = page.locator(".operations-verdict")
    expect(verdict).to_contain_text("Cats are served, but something is wrong.")
    expect(verdict).to_contain_text("Redis does not respond: refused.")
    expect(verdict).to_contain_text("CATTERY_REDIS_URL")
    expect(page.locator("main")).to_contain_text("Unknown: Redis, which knows them")
    expect(page.locator("main")).not_to_contain_text("None is alive")
    visitor.screenshot("operations-no-redis")
    assert visitor.obstacles() == []


def test_errors_and_full_limits_are_told(operations):
    traffic = {**operations.answer["traffic"], "errors_per_s": 0.1, "window_s": 60.0}
    service = {**operations.answer["service"], "waiting_images": 4000, "max_waiting_images": 4096}
    _, page = operations(traffic=traffic, service=service)
    verdict = page.locator(".operations-verdict")
    expect(verdict).to_contain_text("6 responses of the last 60 s failed")
    expect(verdict).to_contain_text("Images waiting to be rendered: 98 % of the limit")


def test_latencies_are_those_of_the_service(operations):
    route = {"route": "/cats", "requests_per_s": 2.5, "p50_s": 0.012, "p95_s": 0.2, "p99_s": 1.5}
    traffic = {**operations.answer["traffic"], "routes": [route]}
    _, page = operations(traffic=traffic)
    cells = page.locator(".operations-routes tbody tr").locator("th, td").all_inner_texts()
    assert cells == ["/cats", "2.5", "12 ms", "200 ms", "1.5 s"]


def test_while_the_service_is_away_the_last_figures_stay(operations, studio):
    visitor, page = operations(PHONE)
    page.route("**/status", lambda route: route.abort())
    verdict = page.locator(".operations-verdict")
    expect(verdict).to_contain_text("The service does not answer.")
    expect(page.locator("main")).to_contain_text("This front end")
    visitor.screenshot("operations-away")
    page.unroute("**/status")
    expect(verdict).not_to_contain_text("does not answer")


def test_figures_are_fresh_without_a_reload(operations):
    """A slow answer is waited for, although the next one would be due."""
    _, page = operations()
    answers = []

    def slowly(route):
        answers.append(route.request.url)
        page.wait_for_timeout(2500)
        route.fulfill(body=json.dumps({**operations.answer, "version": "9.9.9"}))

    page.route("**/status", slowly)
    expect(page.locator(".operations-facts")).to_contain_text("9.9.9", timeout=15_000)
    assert answers
    page.unroute("**/status")
