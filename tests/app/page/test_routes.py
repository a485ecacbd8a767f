"""The page over HTTP: who gets it, and for how long it is kept."""

import re

import pytest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0.5, application/json"])
def test_tools_get_the_index_as_json(api, accept) -> None:
    answer = api.get("/", headers={"Accept": accept})
    assert answer.json()["name"] == "Cattery"
    assert answer.headers["Vary"] == "Accept"


def test_browsers_get_the_page_with_a_strict_policy(api) -> None:
    answer = api.get("/", headers={"Accept": BROWSER})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = api.get("/", headers={"Accept": BROWSER, "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_of_the_page_are_kept_for_good(api) -> None:
    page = api.get("/", headers={"Accept": BROWSER}).text
    assert "<script>" not in page
    assert "style=" not in page
    links = re.findall(r'(?:href|src)="(page/[^"]+)"', page)
    assert len(links) > 20
    for link in links:
        answer = api.get(f"/{link}")
        assert answer.status_code == 200, link
        assert "immutable" in answer.headers["Cache-Control"]


def test_files_are_sent_compressed_to_whom_takes_it(api) -> None:
    page = api.get("/", headers={"Accept": BROWSER}).text
    (script,) = re.findall(r'src="(page/[^"]+)"', page)
    plain = api.get(f"/{script}", headers={"Accept-Encoding": "gzip;q=0"})
    packed = api.get(f"/{script}", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content  # the client unpacks it
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_files_of_another_release_are_never_mixed_in(api) -> None:
    assert api.get("/page/0123456789abcdef/main.js").status_code == 404
    page = api.get("/", headers={"Accept": BROWSER}).text
    digest = re.findall(r"page/(\w{16})/", page)[0]
    assert api.get(f"/page/{digest}/../routes.py").status_code == 404
    assert api.get(f"/page/{digest}/index.html").status_code == 404
