"""The Host and Origin headers of a request."""

from functools import lru_cache
from urllib.parse import urlsplit

from app.settings import is_loopback

_PORTS = {"http": 80, "https": 443}

Address = tuple[str, int]


def parse_host(netloc: str, scheme: str) -> Address | None:
    """Return host and port of a Host header, or None if it is invalid.

    Args:
        netloc: "host", "host:port" or "[address]:port".
        scheme: "http" or "https", for the default port.
    """
    if not netloc or any(c in netloc for c in "/?#@\\") or netloc != netloc.strip():
        return None
    try:
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host.rstrip("."), port or _PORTS[scheme]) if host else None


@lru_cache(maxsize=64)  # needed by every request, and parsing an address takes 8 us
def is_local_host(netloc: str, scheme: str) -> bool:
    """Return whether a Host header names this machine."""
    # A site whose name was made to resolve to this machine (DNS rebinding) still sends its name.
    address = parse_host(netloc, scheme)
    return address is not None and is_loopback(address[0])


def is_own_origin(origin: str, netloc: str, scheme: str) -> bool:
    """Return whether an Origin header names the address of the request.

    Args:
        origin: "scheme://host[:port]"; "null" is for sandboxed frames and local files.
        netloc: The Host header of the same request.
        scheme: Scheme of the same request.
    """
    its_scheme, _, rest = origin.partition("://")
    if its_scheme not in _PORTS:
        return False
    # Behind a proxy that terminates TLS the request's scheme is http and the origin's https.
    ours = {parse_host(netloc, scheme), parse_host(netloc, its_scheme)}
    return parse_host(rest, its_scheme) in ours - {None}
