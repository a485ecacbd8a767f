"""Where webhooks may go: public addresses, and hosts that the operator has named.

A client chooses the URL, and the worker's network may reach what the client cannot: metadata
services of clouds, databases, other people's printers.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from models.errors import InvalidValue
from worker.errors import WebhookRefused

MAX_URL = 2000
PORTS = {"http": 80, "https": 443}

# Networks whose addresses stand for an IPv4 address, by the bits right of it.
_EMBEDDED = (
    (ip_network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ip_network("::/96"), 0),  # IPv4-compatible
    (ip_network("2002::/16"), 80),  # 6to4
)

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts.

    Attributes:
        host: In lower case, without brackets.
        path: With the query.
    """

    scheme: str
    host: str
    port: int
    path: str


def parse_url(url: str, allowed_hosts: Sequence[str] = ()) -> Target:
    """Return the parts of a webhook's URL.

    Args:
        url: What a client wrote.
        allowed_hosts: Those that may be private, and be called without TLS.

    Raises:
        InvalidValue: It is no URL that may be called; addresses of names are checked later.
    """
    try:
        # urlsplit drops tabs and newlines without a word, so the text is checked first.
        is_plain = len(url) <= MAX_URL and url.isascii() and url.isprintable() and " " not in url
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _invalid(url) from None
    is_complete = is_plain and parts.scheme in PORTS and host and "\\" not in url
    if not is_complete or "@" in parts.netloc or parts.fragment:
        raise _invalid(url)
    if host not in allowed_hosts:
        if parts.scheme != "https":
            raise _invalid(url)
        _check_literal(url, host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host; OSError if there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def pinned_address(target: Target, allowed_hosts: Sequence[str], ask: Resolve = resolve) -> str:
    """Return the one address to connect to: names are resolved once, here.

    Raises:
        WebhookRefused: One of the host's addresses is not public.
        OSError: The host has no address.
    """
    addresses = ask(target.host, target.port)
    if target.host not in allowed_hosts:
        for address in addresses:
            # All, not the first: a host of two worlds is no public one.
            if not is_public(address):
                raise WebhookRefused(target.host, address)
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an address is one of the public internet, also if written as another."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        inner = _embedded(parsed)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.teredo is not None:
        return address.teredo[1]
    for network, shift in _EMBEDDED:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def _check_literal(url: str, host: str) -> None:
    """Refuse an address that is not public at once, where a client can be told."""
    try:
        # As the system reads it: 2130706433, 0x7f.1 and 127.1 are addresses, too.
        written = socket.inet_ntoa(socket.inet_aton(host)) if ":" not in host else host
    except OSError:
        return  # a name
    if not is_public(written):
        raise _invalid(url)


def _invalid(url: str) -> InvalidValue:
    allowed = f"an https URL of a public host, at most {MAX_URL} characters, without user"
    return InvalidValue("webhook", url[:200], allowed)
