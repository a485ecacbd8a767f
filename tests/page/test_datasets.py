"""Datasets: dropped as a folder or a zip, packed while one looks on, and what was rejected."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.integration.conftest import Service
from tests.page.conftest import DESKTOP, PHONE

PICTURES = Path(__file__).parents[1] / "pictures" / "cats"
IMPORT_MS = 120_000
"""Longest wait for an import: its worker starts first."""
BAD = '<img src=x onerror="window.harmed = 1">'


@pytest.fixture(scope="module")
def shelter(tmp_path_factory):
    """Return a service with the dataset `strays`: eighty pictures, some rejected."""
    folder = tmp_path_factory.mktemp("shelter")
    service = Service(folder)
    service.wait_until_ready()
    archive = folder / "strays.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for picture in sorted(PICTURES.glob("*.jpg"))[:80]:
            file.write(picture, picture.name)
        file.write(sorted(PICTURES.glob("*.jpg"))[0], "again.jpg")
        file.writestr(f"{BAD.replace('/', '')}.jpg", b"no picture")
        small = io.BytesIO()
        Image.new("RGB", (16, 16), "gray").save(small, "PNG")
        file.writestr("small.png", small.getvalue())
    yield service
    service.kill()


@pytest.fixture
def thirty(tmp_path):
    """Return a folder of thirty pictures, with what a system leaves beside them."""
    folder = tmp_path / "My Cats"
    (folder / "garden").mkdir(parents=True)
    for number, picture in enumerate(sorted(PICTURES.glob("*.jpg"))[100:130]):
        shutil.copy(picture, folder / ("garden" if number % 2 else ".") / picture.name)
    (folder / ".DS_Store").write_bytes(b"litter")
    return folder


def upload(page, source, name="", license=""):
    """Choose a folder or zip, describe it, and send it."""
    kind = "Folder of pictures" if source.is_dir() else "Pictures or a zip"
    page.get_by_label(kind).set_input_files(source)
    if name:
        page.get_by_label("Name").fill(name)
    page.get_by_label("License").fill(license)
    page.get_by_role("button", name="Upload").click()


def test_a_folder_of_thirty_pictures_is_packed_and_too_few(visit, shelter, thirty):
    """From the folder to what was kept; told twice why that is too few to train on."""
    visitor = visit(url=shelter.url)
    page = visitor.open("#/datasets")
    page.get_by_label("Folder of pictures").set_input_files(thirty)
    expect(page.locator(".datasets-drop")).to_contain_text("My Cats 30 files")
    expect(page.locator(".datasets-few")).to_contain_text("30 pictures are too few to train on")
    expect(page.get_by_label("Name")).to_have_value("my-cats")
    page.get_by_label("License").fill(BAD)
    page.get_by_label("Source").fill("javascript:alert(1)")
    visitor.screenshot("datasets-chosen")
    assert visitor.obstacles() == []
    page.get_by_role("button", name="Upload").click()
    expect(page).to_have_url(re.compile("#/datasets/my-cats$"))
    expect(page.locator("#train-on-it")).to_be_visible(timeout=IMPORT_MS)
    about = page.locator(".dataset")
    expect(about).to_contain_text("30 pictures")
    expect(about).to_contain_text(BAD)
    expect(about.locator("a[href^=javascript]")).to_have_count(0)
    expect(page.locator(".datasets-few")).to_contain_text("too few to train on")
    kept = shelter.get("/datasets/my-cats").json()
    assert (kept["kept"], kept["license"], kept["rejected"]) == (30, BAD, {})
    # What was typed is forgotten only now.
    page.get_by_role("link", name="All datasets").click()
    expect(page.get_by_text("Choose a folder")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_count(0)
    assert page.evaluate("window.harmed") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_what_was_rejected_is_listed_with_reasons(visit, shelter, size, scheme):
    visitor = visit(size, scheme, shelter.url)
    page = visitor.open("#/datasets")
    if shelter.get("/datasets/strays").status_code == 404:
        upload(page, shelter.folder / "strays.zip")
    else:
        page.get_by_role("link", name="strays", exact=True).click()
    expect(page.locator("#train-on-it")).to_be_visible(timeout=IMPORT_MS)
    rejected = page.locator(".dataset-rejected")
    expect(rejected).to_contain_text("3 files rejected")
    for reason in ("duplicate", "too small", "unreadable"):
        expect(rejected).to_contain_text(reason)
    damaged = rejected.locator("> ul > li", has_text="unreadable")
    damaged.get_by_text("1 file").click()
    expect(damaged.locator("code")).to_have_text(re.compile("onerror"))
    expect(rejected.locator("img")).to_have_count(2)
    visitor.settle()
    visitor.screenshot("dataset")
    assert visitor.obstacles() == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator(".dataset-rejected").scroll_into_view_if_needed()
    visitor.screenshot("dataset-rejected")
    assert page.evaluate("window.harmed") is None
    page.go_back()
    expect(page.locator(".datasets-list, .state")).to_be_visible()
    visitor.settle()
    visitor.screenshot("datasets-list")
    assert visitor.obstacles() == []


def test_training_on_it_fills_the_order(visit, shelter):
    page = visit(url=shelter.url).open("#/datasets")
    page.get_by_role("link", name="strays", exact=True).click()
    page.locator("#train-on-it").click()
    expect(page.get_by_label("Dataset")).to_have_value("strays")


def test_a_taken_name_is_said_at_the_field_and_nothing_is_lost(visit, shelter, thirty):
    page = visit(url=shelter.url).open("#/datasets")
    upload(page, thirty, "strays", "CC0")
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field .error")).to_contain_text("strays")
    expect(page.get_by_label("License")).to_have_value("CC0")
    expect(page.locator(".datasets-drop")).to_contain_text("30 files")
    page.get_by_label("Name").fill("No Such Name")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".field .error")).to_contain_text("No Such Name")
    # Typed words survive even a reload; the files cannot.
    page.reload()
    expect(page.get_by_label("License")).to_have_value("CC0")


def test_a_zip_that_is_none_is_refused(visit, shelter, tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip at all")
    page = visit(url=shelter.url).open("#/datasets")
    upload(page, broken)
    expect(page.locator(".datasets-refusal")).to_contain_text("zip")
    expect(page.get_by_label("Name")).to_have_value("broken")


def test_a_zip_that_reaches_out_of_its_folder_fails_its_import(visit, shelter, tmp_path):
    """The service refuses it only when it opens it; what was typed is still there then."""
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as file:
        file.writestr("../../etc/passwd.jpg", b"x")
    page = visit(url=shelter.url).open("#/datasets")
    upload(page, evil, license="CC0")
    expect(page.locator(".datasets-failed")).to_contain_text("1 unsafe name", timeout=IMPORT_MS)
    page.get_by_role("link", name="Choose other pictures").click()
    expect(page.get_by_label("Name")).to_have_value("evil")
    expect(page.get_by_label("License")).to_have_value("CC0")


def test_a_connection_that_breaks_in_mid_upload_loses_nothing(visit, shelter, thirty):
    page = visit(url=shelter.url).open("#/datasets")
    # The first request carries no body and tries whether the service would take it.
    page.route(
        "**/datasets/torn*",
        lambda route: (
            route.abort("connectionreset") if route.request.post_data_buffer else route.continue_()
        ),
    )
    upload(page, thirty, "torn")
    expect(page.locator(".datasets-refusal")).to_contain_text("The connection broke")
    expect(page.locator(".datasets-drop")).to_contain_text("30 files")
    page.unroute_all()
    page.get_by_role("button", name="Upload").click()
    expect(page).to_have_url(re.compile("#/datasets/torn$"))


def test_an_upload_is_canceled(visit, shelter, thirty):
    page = visit(url=shelter.url).open("#/datasets")
    page.route("**/datasets/never*", lambda _: None)  # never answered
    upload(page, thirty, "never")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Upload")).to_be_enabled()
    expect(page.locator(".datasets-refusal")).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("never")


def test_pictures_are_dropped(visit, shelter):
    """Dropped anywhere on the view; a zip among pictures is refused in words."""
    page = visit(url=shelter.url).open("#/datasets")
    page.locator(".datasets-drop").wait_for()
    drop = """(names) => {
        const dataTransfer = new DataTransfer();
        for (const name of names) dataTransfer.items.add(new File(["x"], name));
        for (const type of ["dragover", "drop"]) {
            const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector("h1").dispatchEvent(event);
        }
    }"""
    page.evaluate(drop, ["a.jpg", "b.jpg", "Thumbs.db"])
    expect(page.locator(".datasets-drop")).to_contain_text("Pictures 2 files")
    page.evaluate(drop, ["a.jpg", "b.zip"])
    expect(page.locator(".datasets-drop .error")).to_contain_text("either one zip or pictures")


def test_a_wrong_key_is_asked_for_before_anything_is_sent(visit, tmp_path, thirty):
    service = Service(tmp_path, CATTERY_API_KEY="a-secret-key-of-this-test")
    try:
        service.wait_until_ready()
        page = visit(url=service.url).open("#/datasets")
        bodies = []
        page.on("request", lambda request: bodies.append(len(request.post_data_buffer or b"")))
        upload(page, thirty, "guarded")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Key").fill("wrong")
        dialog.get_by_role("button", name="Continue").click()
        expect(dialog).to_contain_text("refused the key")
        assert max(bodies) == 0
        page.keyboard.press("Escape")
        expect(page.locator(".datasets-refusal")).to_contain_text("key")
        expect(page.get_by_label("Name")).to_have_value("guarded")
        page.get_by_role("button", name="Upload").click()
        dialog.get_by_label("Key").fill("a-secret-key-of-this-test")
        dialog.get_by_role("button", name="Continue").click()
        expect(page).to_have_url(re.compile("#/datasets/guarded$"))
    finally:
        service.kill()


def test_a_zip_holds_what_was_put_in(visit, shelter):
    """Python's own reader agrees with the writer: names, content, checksums, many files."""
    visitor = visit(url=shelter.url)
    visitor.open("#/datasets")
    content = visitor.run(
        """async ({ zip }) => {
            const empty = Array.from({ length: 66000 }, (_, index) => [`${index}`, ""]);
            const files = [["é/Ω.txt", "hello"], ["empty", ""], ...empty];
            const members = files.map(([path, text]) => ({ path, file: new Blob([text]) }));
            const bytes = new Uint8Array(await (await zip(members)).arrayBuffer());
            let text = "";
            for (const byte of bytes) text += String.fromCharCode(byte);
            return text;
        }""",
        "zip.js",
    )
    with zipfile.ZipFile(io.BytesIO(content.encode("latin-1"))) as archive:
        assert len(archive.namelist()) == 66_002
        assert archive.read("é/Ω.txt") == b"hello"
        assert archive.read("empty") == b""


def test_a_name_is_made_from_a_folder(visit, shelter):
    visitor = visit(url=shelter.url)
    visitor.open("#/datasets")
    names = ["My Cats 2024", "Ünïcode", "..hidden..", "a..b", "貓", "x" * 80]
    made = visitor.run(f"({{ nameFrom }}) => {json.dumps(names)}.map(nameFrom)", "intake.js")
    assert made == ["my-cats-2024", "unicode", "hidden", "a.b", "", "x" * 63]


def test_a_data_set_is_deleted_after_a_warning(visit, shelter):
    page = visit(url=shelter.url).open("#/datasets/my-cats")
    page.locator("#delete-dataset").click()
    expect(page.get_by_role("dialog")).to_contain_text("Versions that learned from them stay")
    page.get_by_role("button", name="Delete the dataset").click()
    expect(page.locator(".message")).to_contain_text("my-cats is deleted.")
    assert shelter.get("/datasets/my-cats").status_code in (404, 410)
    page.go_back()
    expect(page.locator(".state.is-problem")).to_be_visible()
