"""Keys and limits over real HTTP, as a client and a proxy see them."""

import socket

import httpx
import pytest

KEY = "front-door-8423-of-the-test-house"


@pytest.fixture(scope="module")
def keyed(services, stock, tmp_path_factory):
    """A service with a key and a small limit, which trusts the usual proxy, on this machine."""
    folder = tmp_path_factory.mktemp("keyed")
    stock(folder / "data")
    given = {"CATTERY_API_KEY": KEY, "CATTERY_CATS_PER_MINUTE": "20"}
    return services(folder, "--no-worker", **given).wait_until_ready()


def cats(service, address: str, n: int = 20) -> int:
    """Return the status of a request that a proxy passes on for an address."""
    headers = {"x-forwarded-for": address}
    return httpx.get(f"{service.url}/cats?n={n}&format=json", headers=headers).status_code


def test_each_address_that_a_proxy_names_has_a_share(keyed):
    """The last one counts, which the proxy saw itself; a client may write what it likes before."""
    assert cats(keyed, "203.0.113.1") == 200
    assert cats(keyed, "203.0.113.1", 1) == 429
    assert cats(keyed, "203.0.113.2") == 200
    assert cats(keyed, "198.51.100.9, 203.0.113.2", 1) == 429
    assert cats(keyed, "2001:db8::1") == 200
    assert cats(keyed, "2001:db8::2:2", 1) == 429


def test_a_stranger_cannot_name_addresses(services, stock, tmp_path):
    stock(tmp_path / "data")
    given = {"CATTERY_API_KEY": KEY, "CATTERY_CATS_PER_MINUTE": "20"}
    given |= {"CATTERY_TRUSTED_PROXIES": "10.0.0.1"}
    service = services(tmp_path, "--no-worker", **given).wait_until_ready()
    assert cats(service, "203.0.113.1") == 200
    assert cats(service, "203.0.113.2", 1) == 429


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"Authorization: Bearer {KEY}"], 404),
        ([f"authorization:Bearer {KEY}\t"], 404),
        ([f"Authorization: Bearer {KEY}", "Authorization: Bearer x"], 401),
        (["Authorization: Bearer x", f"authorization: Bearer {KEY}"], 401),
        ([f"Authorization : Bearer {KEY}"], 400),
        (["Authorization: Bearer", f" {KEY}"], 400),
        ([f"X: 1\rAuthorization: Bearer {KEY}"], 400),
        ([f"Authorization_: Bearer {KEY}"], 401),
        (["Transfer-Encoding: chunked", "Content-Length: 5", f"Authorization: Bearer {KEY}"], 400),
    ],
)
def test_a_key_cannot_be_smuggled_past_the_check(keyed, lines, status):
    """As bytes on the wire: doubled, folded and misspelled headers are refused or no key."""
    host, port = keyed.url.removeprefix("http://").split(":")
    head = ["POST /jobs/x/cancel HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""]
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "TRACE", "PUT", "get"])
def test_no_method_changes_anything_without_a_key(keyed, method):
    status = httpx.request(method, f"{keyed.url}/jobs/x/cancel").status_code
    assert status in (400, 401, 405)
