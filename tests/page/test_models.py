"""Models, their versions side by side, promotion with a way back, and deletion."""

import re

import httpx
import pytest
import torch
from playwright.sync_api import expect

from models.inference.checkpoints import load_generator, save_generator
from models.networks import NETWORKS
from models.store import Store
from models.store.records import Promotion
from models.zoo.install import ZOO
from tests import records
from tests.integration.conftest import Service
from tests.page.conftest import DESKTOP, PHONE

BAD = '<img src=x onerror="window.harmed = 1">'


def protocol(dataset, fingerprint, fakes=2000):
    return {"name": "cattery", "size_px": 64, "fakes": fakes, "reals": 8305} | {
        "dataset": dataset,
        "fingerprint": fingerprint * 32,
        "features": "efficientnet-lite0",
    }


def metrics(kid, **on):
    return (
        {"name": "kid", "value": kid, "interval": [kid - 0.002, kid + 0.002], "protocol": on},
        {"name": "precision", "value": 0.4, "protocol": on},
        {"name": "memorization", "value": 0.001, "details": {"expected": 0.008}, "protocol": on},
    )


def noisy(share):
    """Return the zoo's generator with noise on its weights: other cats, worse ones."""
    generator = load_generator(ZOO / "dcgan" / "generator.safetensors")
    noise = torch.Generator().manual_seed(0)
    for weights in generator.network.parameters():
        if weights.dim() > 1:
            weights.data += share * weights.std() * torch.randn(weights.shape, generator=noise)
    config = NETWORKS["dcgan"].config(**generator.meta["config"])
    return save_generator(generator.network, kind="dcgan", config=config)


CARDS = (
    {
        "metrics": metrics(0.06, **protocol("cats", "ab")),
        "settings": {"width": 32, "batch": 32, "lr_generator": 0.0002},
        "dataset": {"name": "cats", "pictures": 8305, "license": BAD},
        "note": BAD,
        "created_at": "2026-11-20T10:00:00Z",
        "training_s": 3600.0,
    },
    {
        # The same pictures under another name: both compare.
        "metrics": metrics(0.04, **protocol("more-cats", "ab")),
        "settings": {"width": 32, "batch": 64, "lr_generator": 0.0002},
        "dataset": {"name": "more-cats", "pictures": 8305},
        "created_at": "2026-11-21T10:00:00Z",
        "training_s": 7200.0,
        "job": "20261121-100000-a1b2c3",
        "promotion": Promotion(
            decision="not promoted",
            reason="Not promoted: KID 0.04 is not significantly better.",
            compared="0123456789ab",
            kid=0.04,
            compared_kid=0.06,
            difference=-0.02,
            interval=(-0.041, 0.001),
            protocol="cattery",
            dataset="cats",
        ),
    },
    {
        "metrics": metrics(0.01, **protocol("dogs", "cd")),
        "settings": {"width": 32, "batch": 32, "lr_generator": 0.0002},
        "dataset": {"name": "dogs", "pictures": 900},
        "created_at": "2026-11-22T10:00:00Z",
        "training_s": 90.0,
        "promotion": Promotion(decision="not promoted", reason=f"Not promoted: {BAD}"),
    },
)


@pytest.fixture(scope="module")
def breeder(tmp_path_factory):
    """Return a service with a model `tabby` of three versions, the oldest in service."""
    folder = tmp_path_factory.mktemp("breeder")
    store = Store.open(str(folder / "data" / "store"))
    sheet = (ZOO / "dcgan" / "samples.png").read_bytes()
    for model in ("tabby", "calico"):
        published = []
        for number, fields in enumerate(CARDS):
            card = records.card(model=model, z_dim=100, latent="philox4x64-boxmuller-1", **fields)
            published.append(store.versions.publish(model, noisy(0.3 * number), card, sheet))
        store.aliases.promote(model, published[0].version, reason=BAD)
    service = Service(folder)
    yield service.wait_until_ready()
    service.kill()


@pytest.fixture
def tabby(breeder):
    """Return the ids of the model's versions, oldest first; the first one is in service."""
    model = breeder.get("/models/tabby").json()
    ids = [version["version"] for version in reversed(model["versions"])]
    if model["serving"] != ids[0]:
        httpx.post(f"{breeder.url}/models/tabby/promote", json={"version": ids[0]}, timeout=30)
    return ids


def serving(service, model="tabby"):
    return service.get(f"/models/{model}").json()["serving"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_models_and_versions_are_shown_without_obstacles(visit, breeder, tabby, size, scheme):
    visitor = visit(size, scheme, breeder.url)
    page = visitor.open("#/models")
    expect(page.locator(".models-list > li")).to_have_count(4)
    visitor.settle()
    visitor.screenshot("models-all")
    assert visitor.obstacles() == []
    page.get_by_role("link", name="tabby").click()
    expect(page.locator(".model-version")).to_have_count(3)
    visitor.settle()
    visitor.screenshot("model")
    page.locator(".model-metrics").scroll_into_view_if_needed()
    page.locator("#metrics").evaluate("one => one.scrollIntoView()")
    visitor.screenshot("model-metrics")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    visitor.screenshot("model-end")
    assert visitor.obstacles() == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("window.shift") < 0.1


def test_only_what_was_measured_alike_is_in_one_table(visit, breeder, tabby):
    """Two groups: equal pictures under two names compare, other pictures do not."""
    old, better, other = (version[:6] for version in tabby)
    page = visit(url=breeder.url).open("#/models/tabby")
    groups = page.locator(".model-basis")
    expect(groups).to_have_count(2)
    alike, apart = groups.nth(0), groups.nth(1)
    expect(alike.locator("h3")).to_have_text("On cats = more-cats, 64 px, protocol cattery")
    expect(alike).to_contain_text("fingerprint abababababab")
    kid = alike.locator("table").first
    expect(kid.locator("th[scope=row]")).to_have_text([old, better])
    expect(kid.locator("tr", has_text=better)).to_contain_text("0.038 to 0.042")
    expect(kid.locator("tr", has_text=better)).to_contain_text("clearly best")
    expect(kid.locator("caption")).to_contain_text("lower is better")
    expect(apart.locator("table").first.locator("th[scope=row]")).to_have_text([other])
    expect(page.locator(".model-apart")).to_contain_text("not all measured alike")


def test_only_settings_that_differ_are_listed(visit, breeder, tabby):
    page = visit(url=breeder.url).open(f"#/models/tabby?compare={tabby[0]},{tabby[1]}")
    rows = page.locator(".model-differences tbody tr")
    expect(rows.locator("th")).to_have_text(["dataset", "batch"])
    expect(rows.nth(1).locator("td")).to_have_text(["32", "64"])


def test_the_gate_says_why(visit, breeder, tabby):
    page = visit(url=breeder.url).open("#/models/tabby")
    gate = page.locator(".model-version", has_text=tabby[1]).locator(".model-gate")
    expect(gate).to_contain_text("Not promoted by its job: KID 0.04 against 0.06 of 0123456789ab")
    expect(gate).to_contain_text("Difference \u22120.02 (\u22120.041 to +0.001;")


def test_a_promotion_is_seen_and_taken_back(visit, breeder, tabby):
    old, new, _ = tabby
    page = visit(url=breeder.url).open("#/models/tabby")
    page.locator(f"#promote-{new}").click()
    expect(page.locator(".message")).to_contain_text(f"{new} is in service now.")
    expect(page.locator(".model-version.is-serving h3")).to_have_text(new)
    expect(page.locator(".model-head")).to_contain_text(f"{new} is in service since")
    expect(page.locator(f"#version-{new}")).to_be_focused()
    assert serving(breeder) == new
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".model-version.is-serving h3")).to_have_text(old)
    assert serving(breeder) == old
    expect(page.locator(".model-history li").first).to_contain_text(f"Put into service {old}")


def test_a_rollback_is_one_click_by_keyboard(visit, breeder, tabby):
    old, new, _ = tabby
    httpx.post(f"{breeder.url}/models/tabby/promote", json={"version": new}, timeout=30)
    page = visit(url=breeder.url).open("#/models/tabby")
    page.locator("#rollback").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text(f"Rolled back: {old} is in service now.")
    expect(page.locator(".model-version.is-serving h3")).to_have_text(old)
    assert serving(breeder) == old
    expect(page.locator(".model-history li").first).to_contain_text(f"Rolled back to {old}")


def test_the_choice_of_versions_and_seeds_survives_a_reload(visit, breeder, tabby):
    page = visit(url=breeder.url).open("#/models/tabby")
    page.locator(".model-chips button", has_text=tabby[2]).click()
    expect(page.locator(".model-version")).to_have_count(2)
    page.get_by_role("button", name="Other cats").click()
    expect(page).to_have_url(re.compile("seed="))
    sources = "[...document.querySelectorAll('.model-sheet img')].map((image) => image.src)"
    before = page.evaluate(sources)
    page.reload()
    expect(page.locator(".model-version")).to_have_count(2)
    assert page.evaluate(sources) == before
    # The same seeds in all versions.
    seeds = [source.rpartition("/")[2] for source in before]
    assert seeds[:16] == seeds[16:]


def test_a_version_is_deleted_after_a_warning(visit, breeder, tabby):
    """The dialog names what happens to permalinks; who looks at it elsewhere is told."""
    _, middle, new = tabby
    watcher = visit(url=breeder.url)
    watched = watcher.open(f"#/models/calico?compare={new},{middle}")
    expect(watched.locator(".model-version")).to_have_count(2)

    page = visit(url=breeder.url).open("#/models/calico")
    column = page.locator(".model-version", has_text=new)
    column.get_by_text("More").click()
    page.locator(f"#delete-{new}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"/cats/calico@{new}/1.png")
    expect(dialog).to_contain_text("410")
    dialog.get_by_role("button", name="Delete the version").click()
    expect(page.locator(".message")).to_contain_text(f"Version {new} was deleted.")
    expect(page.locator(".model-version")).to_have_count(2)
    assert breeder.get(f"/cats/calico@{new}/1.png").status_code == 410

    watched.locator(f"#promote-{new}").click()
    expect(watched.locator(".message.is-problem")).to_contain_text(new)
    expect(watched.locator(".models-missing")).to_contain_text(f"Version {new} is not here")
    expect(watched.locator(".model-version")).to_have_count(1)


def test_what_is_in_service_is_not_deleted(visit, breeder, tabby):
    page = visit(url=breeder.url).open("#/models/tabby")
    page.locator(".model-version.is-serving").get_by_text("More").click()
    page.locator(f"#delete-{tabby[0]}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("in service, so it cannot be deleted")
    expect(dialog.get_by_role("button", name="Delete the version")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(f"#delete-{tabby[0]}")).to_be_focused()


def test_a_model_that_is_not_there_says_so(visit, breeder, tabby):
    visitor = visit(url=breeder.url)
    page = visitor.open("#/models/nobody")
    expect(page.locator(".state.is-problem")).to_contain_text("nobody")
    page.get_by_role("link", name="All models").click()
    expect(page.locator(".models-list")).to_be_visible()


def test_without_a_connection_what_was_loaded_stays(visit, breeder, tabby):
    page = visit(url=breeder.url).open("#/models/tabby")
    expect(page.locator(".model-version")).to_have_count(3)
    page.context.set_offline(True)
    page.locator(f"#promote-{tabby[1]}").click()
    expect(page.locator(".message.is-problem")).to_contain_text("does not answer")
    expect(page.locator(".model")).to_contain_text("This is how it was before.")
    expect(page.locator(".model-version")).to_have_count(3)
    page.context.set_offline(False)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_blind_vote_tells_afterwards(visit, breeder, tabby, size):
    visitor = visit(size, url=breeder.url)
    page = visitor.open(f"#/models/tabby?compare={tabby[0]},{tabby[1]}")
    page.get_by_role("link", name="Compare blind").click()
    expect(page.locator("#vote-1")).to_be_enabled()
    text = page.locator("main").inner_text()
    assert tabby[0] not in text
    assert tabby[1] not in text
    visitor.settle()
    visitor.screenshot("vote")
    assert visitor.obstacles() == []
    left, right = (image.get_attribute("src") for image in page.locator(".vote-pair img").all())
    assert left.split("/")[-1] == right.split("/")[-1]
    chosen = left.split("@")[1][:12]
    page.keyboard.press("1")
    expect(page.locator(".vote-rest")).to_contain_text(f"You chose {chosen}.")
    expect(page.locator(".vote-rest table")).to_contain_text(chosen)
    visitor.screenshot("vote-result")
    assert visitor.obstacles() == []
    votes = {one["version"]: one["total"] for one in breeder.get("/models/tabby").json()["votes"]}
    assert votes[chosen]["wins"] >= 1
    page.keyboard.press("Enter")
    expect(page.locator("#vote-1")).to_be_enabled()
    before = sum(vote["ties"] for vote in votes.values())
    page.keyboard.press("0")
    expect(page.locator(".vote-rest")).to_contain_text("You chose neither.")
    after = breeder.get("/models/tabby").json()["votes"]
    assert sum(one["total"]["ties"] for one in after) == before + 2


def test_a_model_is_deleted(visit, breeder, tabby):
    assert breeder.get("/models/calico").status_code == 200
    page = visit(url=breeder.url).open("#/models/calico")
    page.locator("#delete-model").click()
    page.get_by_role("button", name="Delete the model").click()
    expect(page.locator(".models-list > li")).to_have_count(3)
    expect(page.locator(".message")).to_contain_text("calico and its versions are deleted.")
    assert breeder.get("/models/calico").status_code in (404, 410)
