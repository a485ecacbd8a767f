"""Tests of app.http.scopes, over the whole app."""

import pytest
from starlette.routing import Match

from app.http.scopes import REQUIRED, SAFE_METHODS, required_scope
from models.store.keys import Scope
from tests.app.client import problem_of


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def keyed(new_api, store):
    """Return an app that requires keys, and a key for each scope."""
    tokens = {scope: store.keys.add(scope.value, [scope])[1] for scope in Scope}
    with new_api() as api:
        yield api, tokens


@pytest.mark.parametrize(("method", "path"), REQUIRED)
def test_each_change_needs_its_scope(keyed, method, path):
    """401 without a key, 403 with any other scope alone, which is named, and not with its own."""
    api, tokens = keyed
    url = path.format(job="x", name="x", model="x", version="x")
    needed = REQUIRED[method, path]
    kind = "application/zip" if path == "/datasets/{name}" else "application/json"

    def ask(**authorization):
        if method != "POST":
            return api.ask(method, url, headers=authorization)
        headers = {"content-type": kind, **authorization}
        return api.ask(method, url, content=b"{}", headers=headers)

    answer = ask()
    problem_of(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="cattery"'
    for scope, token in tokens.items():
        answer = ask(**bearer(token))
        if scope is needed:
            assert answer.status_code not in (401, 403), answer.text
            continue
        document = problem_of(answer, 403, "missing-scope")
        assert f"'{needed}'" in document["detail"]
        assert f'error="insufficient_scope", scope="{needed}"' in answer.headers["www-authenticate"]


def test_what_is_not_in_the_table_needs_admin():
    request = {"type": "http", "method": "PUT", "path": "/a-new-route", "root_path": ""}
    assert required_scope(request) is Scope.ADMIN
    assert required_scope(request | {"method": "GET"}) is None


PATHS = [
    *("/train", "/train/", "//train", "/Train", "/train;x", "/train\n", "/./train"),
    *("/datasets/x", "/datasets/x/y", "/datasets/", "/datasets/x\n", "/jobs/a/b/cancel"),
    *("/models/x/versions/y", "/models/x/promote", "/models/x/promote/", "/models//promote"),
]


@pytest.mark.parametrize("root", ["", "/cats-of-ours"])
@pytest.mark.parametrize("path", PATHS)
def test_gate_and_router_agree_on_what_a_path_is(new_app, path, root):
    """Whatever a route takes is found in the table under that route's own entry."""
    app = new_app()
    for method in ("POST", "DELETE", "PUT", "PATCH"):
        request = {"type": "http", "method": method, "path": root + path, "root_path": root}
        found = {
            route.path
            for route in _routes(app.router.routes)
            if route.matches(dict(request))[0] is Match.FULL
        }
        expected = {REQUIRED[method, taken] for taken in found} or {Scope.ADMIN}
        assert {required_scope(request)} == expected


def _routes(routes):
    for route in routes:
        if inner := getattr(route, "original_router", None) or getattr(route, "router", None):
            yield from _routes(inner.routes)
        elif getattr(route, "methods", None):
            yield route


def test_a_revoked_key_is_none_at_once(keyed):
    api, tokens = keyed
    problem_of(api.post("/jobs/x/cancel", headers=bearer(tokens[Scope.TRAIN])), 404)
    api.store.keys.revoke("train")
    answer = api.post("/jobs/x/cancel", headers=bearer(tokens[Scope.TRAIN]))
    problem_of(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_looking_needs_no_key(keyed):
    api, _ = keyed
    for path in ("/recipes", "/jobs", "/models", "/datasets", "/healthz"):
        assert api.get(path).status_code == 200
        assert api.ask("HEAD", path, headers=bearer("wrong")).status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} == SAFE_METHODS
