"""Tests of app.http.security and app.http.origins."""

import pytest

from app.http.origins import is_local_host, is_own_origin
from app.main import create_app
from app.problems.errors import SettingsError
from app.settings import AppSettings
from models.store.keys import Scope
from tests.app.client import problem_of

KEY = "open sésame, sil vous plaît"


@pytest.fixture
def keyed(new_api):
    with new_api(host="0.0.0.0", api_key=KEY) as api:  # noqa: S104 - nothing listens here
        yield api


def bearer(key: str, scheme: str = "Bearer") -> dict[bytes, bytes]:
    return {b"authorization": f"{scheme} {key}".encode()}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "cats.example"])  # noqa: S104
def test_no_network_without_a_key(host):
    with pytest.raises(SettingsError, match="CATTERY_API_KEY"):
        create_app(AppSettings(host=host))


@pytest.mark.parametrize(
    "key",
    [
        *("short", "password" * 4, "changeme-changeme", "k" * 40, "abcabcabcabcabcabc"),
        *("1234567890123456", "aaaaaaaabbbbbbbbccc", "cattery-admin-secret-token"),
    ],
)
def test_no_network_with_a_key_that_can_be_guessed(key):
    with pytest.raises(SettingsError, match="openssl"):
        create_app(AppSettings(host="0.0.0.0", api_key=key))  # noqa: S104 - nothing listens here
    create_app(AppSettings(api_key=key))  # on loopback it is the owner's business


def test_a_key_in_the_store_opens_the_network(store):
    """Also a revoked one: the service then lets nobody change anything."""
    settings = AppSettings(host="0.0.0.0")  # noqa: S104 - nothing listens here
    with pytest.raises(SettingsError):
        create_app(settings, store=store)
    store.keys.add("ci", [Scope.TRAIN])
    create_app(settings, store=store)
    store.keys.revoke("ci")
    create_app(settings, store=store)


LOCAL = ["127.0.0.1", "localhost:8000", "[::1]:8000", "[::1]", "127.0.0.1:1", "LocalHost"]
FOREIGN = ["", "evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example"]


@pytest.mark.parametrize("host", [*LOCAL, *FOREIGN, "localhost:x", "::1"])
def test_only_spellings_of_this_machines_own_name_are_let_in(host):
    """A name that was made to point here is still not ours."""
    assert is_local_host(host, "http") == (host in LOCAL)


@pytest.mark.parametrize(
    ("origin", "host", "is_ours"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://localhost", "localhost:80", True),
        ("https://localhost", "localhost", True),
        ("null", "localhost:8000", False),
        ("", "localhost:8000", False),
        ("http://localhost:3000", "localhost:8000", False),
        ("http://evil.example", "localhost:8000", False),
        ("file://localhost:8000", "localhost:8000", False),
        ("http://localhost:8000.evil.example", "localhost:8000", False),
        ("http://localhost:8000/x", "localhost:8000", False),
    ],
)
def test_an_origin_is_ours_where_host_and_port_agree(origin, host, is_ours):
    """Default ports included; a page of another port, host or scheme is somebody else's."""
    assert is_own_origin(origin, host, "http") == is_ours


@pytest.mark.parametrize("hosts", [["evil.example"], ["localhost", "evil"]])
def test_a_foreign_host_is_refused(api, hosts):
    """For reading as well: DNS rebinding. A request cannot be local and foreign at once."""
    response = api.get("/models", headers=[("host", host) for host in hosts])
    problem_of(response, 403, "forbidden")


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:3000"])
def test_a_foreign_origin_is_refused(api, origin):
    """Another web page cannot use a visitor's browser."""
    response = api.post("/jobs/x/cancel", headers={"origin": origin})
    problem_of(response, 403, "forbidden")


def test_our_own_origin_is_let_in(api):
    response = api.post("/jobs/x/cancel", headers={"origin": "http://127.0.0.1:8000"})
    problem_of(response, 404)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "application/zip", "json"])
def test_other_types_than_json_are_refused(api, kind):
    response = api.post("/train", content=b"{}", headers={"content-type": kind})
    document = problem_of(response, 415, "unsupported-media-type")
    assert document["allowed"] == "application/json"


def test_a_body_needs_a_type_and_an_empty_one_no_wrong_type(api):
    problem_of(api.post("/train", content=b"{}"), 415)
    problem_of(api.post("/jobs/x/cancel"), 404)
    problem_of(api.post("/jobs/x/cancel", headers={"content-type": "text/plain"}), 415)
    upload = api.post("/datasets/cats", json={})
    assert problem_of(upload, 415)["allowed"] == "application/zip"


@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), bearer(KEY, "Basic"), bearer(""), bearer(KEY + "x")]
)
def test_changes_need_the_key(keyed, headers):
    """Without the right key nothing is changed, and the answer says how to show one."""
    response = keyed.post("/jobs/x/cancel", headers=headers)
    problem_of(response, 401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_two_keys_are_none(keyed):
    """A proxy may have checked one of them and we the other, in either order."""
    for keys in ([KEY, "wrong"], ["wrong", KEY], [KEY, KEY]):
        headers = [(b"authorization", f"Bearer {key}".encode()) for key in keys]
        problem_of(keyed.post("/jobs/x/cancel", headers=headers), 401)
    listed = {b"authorization": f"Bearer {KEY}, Bearer {KEY}".encode()}
    problem_of(keyed.post("/jobs/x/cancel", headers=listed), 401)


@pytest.mark.parametrize(
    "name", ["x-api-key", "proxy-authorization", "x-http-method-override", "authorization_"]
)
def test_no_other_header_is_a_key(keyed, name):
    answer = keyed.post("/jobs/x/cancel", headers={name.encode(): f"Bearer {KEY}".encode()})
    problem_of(answer, 401)
    override = {b"x-http-method-override": b"DELETE", b"x-method-override": b"DELETE"}
    assert keyed.get("/recipes", headers=override).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_methods_without_a_key_change_nothing(keyed, method):
    """They are let through to routes that have no such method."""
    for path in ("/train", "/jobs/x/cancel", "/models/dcgan/promote"):
        assert keyed.ask(method, path).status_code == 405


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_key_opens(keyed, scheme):
    """With the key the request gets as far as the route, from any host and origin."""
    headers = bearer(KEY, scheme) | {b"host": b"cats.example", b"origin": b"https://cats.example"}
    problem_of(keyed.post("/jobs/x/cancel", headers=headers), 404)


def test_all_but_reading_needs_the_key(keyed):
    """Every method that changes something is guarded, on pages that do not exist as well."""
    assert keyed.get("/recipes", headers={"host": "cats.example"}).status_code == 200
    problem_of(keyed.delete("/datasets/cats"), 401)
    problem_of(keyed.ask("PUT", "/nowhere"), 401)


def chunks(count: int, read: list[int]):
    """Yield kilobytes and note how many were read."""

    async def body():
        for number in range(count):
            read.append(number)
            yield b" " * 1024

    return body()


@pytest.mark.parametrize(
    ("declared", "read_kb"),
    [
        ({"content-length": "5000"}, 0),
        ({"content-length": "9" * 100}, 0),
        ({}, 5),
        ({"content-length": "10"}, 5),
    ],
    ids=["too large", "absurd", "undeclared", "a lie"],
)
def test_a_body_is_read_up_to_its_limit_and_no_further(new_api, declared, read_kb):
    """What says that it is too large is refused unread; what comes is counted all the same."""
    read: list[int] = []
    with new_api(max_body_bytes=4096) as api:
        headers = {"content-type": "application/json", **declared}
        response = api.post("/train", content=chunks(1000, read), headers=headers)
    document = problem_of(response, 413, "too-large")
    assert "CATTERY_MAX_BODY_BYTES" in document["remedy"]
    assert len(read) == read_kb


def test_browsers_are_told_not_to_guess(api):
    assert api.get("/recipes").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "203.0.113.7"),
        ("x-forwarded-for", ""),
        ("Forwarded", "for=203.0.113.7;host=cats.example"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-Host", "cats.example"),
    ],
)
def test_what_a_proxy_passed_on_is_refused_without_a_key(api, name, value):
    """A proxy on this machine would let in everybody who can reach it, under our own name."""
    for method, path in (("GET", "/recipes"), ("POST", "/jobs/x/cancel")):
        document = problem_of(api.ask(method, path, headers={name: value}), 403, "forbidden")
        assert name.lower() in document["detail"]
        assert "CATTERY_API_KEY" in document["remedy"]


def test_what_a_proxy_passed_on_is_served_with_a_key(keyed):
    forwarded = {b"x-forwarded-for": b"203.0.113.7", b"host": b"cats.example"}
    assert keyed.get("/recipes", headers=forwarded).status_code == 200
    problem_of(keyed.post("/jobs/x/cancel", headers=forwarded | bearer(KEY)), 404)
