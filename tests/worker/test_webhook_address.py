"""Tests of worker.webhook_address: where webhooks may go."""

import pytest

from models.errors import InvalidValue
from worker.errors import WebhookRefused
from worker.webhook_address import Target, is_public, parse_url, pinned_address

PRIVATE = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),  # noqa: S104
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
    # The same, dressed up.
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b:1::1"),
    *("2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "nonsense", ""),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", [*PRIVATE, *PUBLIC])
def test_only_addresses_of_the_public_internet_are_public(address):
    assert is_public(address) == (address in PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://"),
        *("https://user:key@example.org/", "https://example.org@evil.example/", "https://e.org/#f"),
        *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://0/"),
        *("https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/"),
        *(
            "https://169.254.169.254./latest",
            "https://example.org\\@127.0.0.1/",
            "https://e.org:x/",
        ),
        *("https://example.org/\r\nX: 1", "https://exa\tmple.org/", "https://éxample.org/"),
        "https://example.org/" + "a" * 2000,
    ],
)
def test_other_urls_are_refused_when_they_are_ordered(url):
    with pytest.raises(InvalidValue, match="https URL"):
        parse_url(url)


def test_a_url_is_taken_apart():
    assert parse_url("https://Hooks.Example.org/a?b=1") == Target(
        "https", "hooks.example.org", 443, "/a?b=1"
    )
    allowed = parse_url("http://10.0.0.5:8080", ["10.0.0.5"])
    assert allowed == Target("http", "10.0.0.5", 8080, "/")


TARGET = Target("https", "hooks.example.org", 443, "/")


def test_a_name_is_resolved_once_and_the_connection_keeps_the_address():
    """A name that means something else a moment later (DNS rebinding) changes nothing."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    assert pinned_address(TARGET, (), lambda *_: next(answers)) == "8.8.8.8"
    with pytest.raises(WebhookRefused, match=r"127\.0\.0\.1"):
        pinned_address(TARGET, (), lambda *_: next(answers))


@pytest.mark.parametrize("private", ["10.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0"])
def test_one_private_address_among_public_ones_is_enough_to_refuse(private):
    for addresses in ([private, "8.8.8.8"], ["8.8.8.8", private]):
        with pytest.raises(WebhookRefused):
            pinned_address(TARGET, (), lambda *_, found=addresses: found)


def test_a_host_that_the_operator_named_may_be_private():
    assert pinned_address(TARGET, [TARGET.host], lambda *_: ["10.0.0.1"]) == "10.0.0.1"
