"""Tests of app.http.headers."""

import re

import pytest

from app.http.headers import DEFAULTS
from tests.app.fake_engine import put_into_service
from tests.app.ordering import ended_job


@pytest.fixture
def paths(api):
    """Return addresses of every kind of response: pictures, lists, streams, errors, pages."""
    card, job = put_into_service(api.store, 1), ended_job(api.store)
    api.run(api.app.state.pool.refresh_all())
    cats = ["/cats", "/cats?seed=1", f"/cats/dcgan@{card.version}/7.png", "/cats/walk?from=1&to=2"]
    lists = ["/", "/models", "/jobs", "/recipes", "/readyz", "/metrics", "/docs", "/openapi.json"]
    return [*cats, *lists, f"/jobs/{job.id}/events", "/nowhere", "/jobs?limit=0"]


def test_every_response_says_how_it_may_be_kept_shown_and_passed_on(api, paths):
    for path in paths:
        for method in ("GET", "HEAD", "PATCH"):
            headers = api.ask(method, path).headers
            for name in DEFAULTS:
                assert len(headers.get_list(name)) == 1, (method, path, name)
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert "server" not in headers


@pytest.mark.parametrize("path", ["/readyz", "/jobs", "/models", "/models/dcgan", "/datasets"])
def test_no_cache_keeps_what_changes(api, paths, path):
    """Without a header a cache may keep it for as long as it likes."""
    assert api.get(path).headers["cache-control"] == "no-store"


def test_an_accident_has_the_headers_too(api, monkeypatch):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(api.store.jobs, "list", fail)
    response = api.get("/jobs", headers={"x-request-id": "mine"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "mine"
    assert set(map(str.lower, DEFAULTS)) <= set(response.headers)


def test_a_request_has_an_id(api):
    """The client's if it has one, else a new one each time."""
    assert api.get("/healthz", headers={"x-request-id": "a-1.b:c"}).headers["x-request-id"] == (
        "a-1.b:c"
    )
    ids = [api.get("/healthz").headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in ids)
    assert ids[0] != ids[1]
