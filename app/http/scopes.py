"""What a key must allow for each call that changes something: the one table of it.

A test compares it with the routes. Calls that are not in it need `admin`: a route that somebody
forgot to list is closed, not open.
"""

import re
from collections.abc import Mapping

from starlette._utils import get_route_path  # the router's own: both must read a path alike
from starlette.routing import compile_path
from starlette.types import Scope as Request

from models.store.keys import Scope

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

REQUIRED: Mapping[tuple[str, str], Scope] = {
    ("POST", "/votes"): Scope.VOTE,
    ("POST", "/train"): Scope.TRAIN,
    ("POST", "/train/estimate"): Scope.TRAIN,
    ("POST", "/jobs/{job}/cancel"): Scope.TRAIN,
    ("DELETE", "/jobs/{job}"): Scope.TRAIN,
    ("POST", "/datasets/{name}"): Scope.TRAIN,
    ("POST", "/models/{model}/promote"): Scope.PUBLISH,
    ("POST", "/models/{model}/rollback"): Scope.PUBLISH,
    ("DELETE", "/models/{model}"): Scope.ADMIN,
    ("DELETE", "/models/{model}/versions/{version}"): Scope.ADMIN,
    ("DELETE", "/datasets/{name}"): Scope.ADMIN,
}

# Compiled as the router does it, so that both always agree on what a path is.
_PATTERNS: tuple[tuple[str, re.Pattern[str], Scope], ...] = tuple(
    (method, compile_path(path)[0], scope) for (method, path), scope in REQUIRED.items()
)


def required_scope(request: Request) -> Scope | None:
    """Return what a key must allow for a request; None if it needs no key."""
    method = request["method"]
    if method in SAFE_METHODS:
        return None
    path = get_route_path(request)
    found = (
        scope for known, pattern, scope in _PATTERNS if known == method and pattern.match(path)
    )
    return next(found, Scope.ADMIN)
