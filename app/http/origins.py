"""Who a browser speaks for: the Host and Origin headers of a request."""

from functools import lru_cache
from urllib.parse import urlsplit

from app.settings import is_loopback

_PORTS = {"http": 80, "https": 443}

Address = tuple[str, int]


def address_of(netloc: str, scheme: str) -> Address | None:
    """Return host and port of a Host header, or None if it is none.

    Args:
        netloc: "host", "host:port" or "[address]:port".
        scheme: "http" or "https": says which port is meant by none.
    """
    if not netloc or any(c in netloc for c in "/?#@\\") or netloc != netloc.strip():
        return None
    try:
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host.rstrip("."), port or _PORTS[scheme]) if host else None


@lru_cache(maxsize=64)  # asked of every request, and to take an address apart costs 8 us
def is_local_host(netloc: str, scheme: str) -> bool:
    """Say whether a Host header names this machine.

    A page of another site whose name was made to point here (DNS rebinding) still
    sends its own name.
    """
    address = address_of(netloc, scheme)
    return address is not None and is_loopback(address[0])


def is_own_origin(origin: str, netloc: str, scheme: str) -> bool:
    """Say whether an Origin header names the very address that was called.

    Args:
        origin: "scheme://host[:port]"; "null" (sandboxed frames, local files) is not ours.
        netloc: The Host header of the same request.
        scheme: Scheme of the same request.
    """
    its_scheme, _, rest = origin.partition("://")
    if its_scheme not in _PORTS:
        return False
    # Behind a proxy that ends TLS the request's scheme is http and the origin's https.
    ours = {address_of(netloc, scheme), address_of(netloc, its_scheme)}
    return address_of(rest, its_scheme) in ours - {None}
