"""Tests of app.main: the service behind a proxy that publishes it under a prefix."""

import json
import re

import pytest

from app.main import create_app
from app.problems.errors import SettingsError
from app.settings import AppSettings
from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from tests.app.ordering import ORDER, add_dataset, ended_job

ROOT = "/cattery"
PATHS = [
    *("/", "/models", "/models/dcgan", "/datasets", "/datasets/cats", "/jobs", "/jobs/{job}"),
    *("/cats?format=json&seed=3&n=2", "/models/dcgan/versions/{version}"),
]


@pytest.fixture
def proxied(new_api, redis_url, store, tmp_path):
    """Return an app below a prefix, and a function that fills names into an address."""
    card, job = put_into_service(store, 1), ended_job(store)
    add_dataset(store, tmp_path)
    with new_api(root_path=ROOT, redis_url=redis_url) as api:
        yield api, lambda path: path.format(job=job.id, version=card.version)


def links_in(value) -> set[str]:
    """Return all texts of a JSON value that are paths."""
    found = re.findall(r'"(/[^"]*)"', json.dumps(value))
    return {text for text in found if not text.startswith("/tmp")}  # noqa: S108 - compared only


@pytest.mark.parametrize("prefix", ["", ROOT], ids=["removed", "passed on"])
def test_every_link_leads_back_through_the_proxy(proxied, prefix):
    """Whether the proxy removes the prefix or not."""
    api, fill = proxied
    for path in map(fill, PATHS):
        response = api.get(prefix + path)
        assert response.status_code == 200, path
        links = links_in(response.json())
        assert [link for link in links if not link.startswith(f"{ROOT}/")] == [], path
        for link in links:
            # The stream of all jobs never ends.
            method = "HEAD" if link == f"{ROOT}/events" else "GET"
            assert api.ask(method, prefix + link.removeprefix(ROOT)).status_code != 404, link


@pytest.mark.parametrize("prefix", ["", ROOT], ids=["removed", "passed on"])
def test_redirects_and_locations_have_the_prefix(proxied, prefix):
    api, fill = proxied
    walk = api.get(f"{prefix}/cats/walk?from=1&to=2")
    alias = api.get(fill(f"{prefix}/cats/dcgan@serving/7.png"))
    job = api.post(f"{prefix}/train", json=ORDER | {"model": "tabby"})
    assert (walk.status_code, alias.status_code, job.status_code) == (307, 307, 202)
    for response in (walk, alias, job):
        assert response.headers["location"].startswith(f"{ROOT}/"), response.headers
    cat = api.get(f"{prefix}/cats?seed=3")
    assert cat.headers["content-location"].startswith(f"{ROOT}/cats/dcgan@")


def test_the_document_and_its_page_have_the_prefix(proxied):
    api, _ = proxied
    assert api.get("/openapi.json").json()["servers"] == [{"url": ROOT}]
    # Relative, so that it works below any path.
    assert '<a href="openapi.json">' in api.get("/docs").text


def test_errors_and_uploads_know_their_path(proxied):
    api, _ = proxied
    for prefix in ("", ROOT):
        assert problem_of(api.get(f"{prefix}/nowhere"), 404)["instance"] == f"{ROOT}/nowhere"
        upload = api.post(f"{prefix}/datasets/new", content=b"x", headers={"content-type": "a/b"})
        assert problem_of(upload, 415)["allowed"] == "application/zip"


def test_a_prefix_that_is_a_path_of_ours_is_refused():
    """A request for /cats/cats and one for /cats could not be told apart."""
    for path in ("/cats", "/models", "/jobs", "/docs", "/page", "/openapi.json"):
        with pytest.raises(SettingsError, match="CATTERY_ROOT_PATH"):
            create_app(AppSettings(root_path=path))
