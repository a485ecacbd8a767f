"""The short way to cats: plain requests are answered without the framework's detours.

What the framework does around a cat (finding the route, solving its dependencies, checking
parameters one by one) takes as long as the forward pass of a small one (docs/results.md). So
the requests that nearly everybody sends are recognized here: `GET /cats` with parameters that
are right, and permalinks, of versions that are in memory. Everything else, whatever is wrong
above all, goes the framework's way; both give the same answer (tests/app/test_express.py).
"""

import logging
import re
from dataclasses import dataclass
from types import SimpleNamespace

from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.cats.latents import PLAIN
from app.cats.parameters import CatsQuery
from app.cats.request import Answer
from app.cats.service import one_cat, respond, some_cats
from app.http.origins import is_local_host
from app.inference.slot import Slot
from app.problems.handlers import fail, refuse
from app.settings import AppSettings
from models.errors import CatteryError
from models.images.formats import PictureFormat
from models.inference.latents import MAX_SEED

log = logging.getLogger(__name__)

SOME = SimpleNamespace(path="/cats")
ONE = SimpleNamespace(path="/cats/{model}@{version}/{seed}.{format}")
"""What the request counter calls them: the templates of the routes."""

MOST_HOSTS = 64

_PERMALINK = re.compile(r"/cats/([^/@]{1,100}@[0-9a-f]{12})/(0|[1-9][0-9]{0,18})\.(png|webp)")
_DETOURS = frozenset({b"origin", b"content-type", b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that can be answered at once: some cats, or the one of a permalink."""

    ref: str | None
    query: CatsQuery | None = None
    accept: str = ""
    seed: int = 0
    encoding: PictureFormat = PictureFormat.PNG

    def answer(self, slot: Slot) -> Answer:
        """Return what answers it, by the version it means."""
        if self.query is not None:
            return some_cats(self.query, self.accept, slot, "")
        return one_cat(slot, self.seed, self.encoding, PLAIN, "")


class Express:
    """ASGI middleware that answers plain requests for cats itself.

    Args:
        app: What answers all others.
        settings: Whether only this machine may call.
    """

    def __init__(self, app: ASGIApp, settings: AppSettings) -> None:
        self._app = app
        self._is_guarded = settings.api_key is None
        self._hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        asked = self._asked(scope) if scope["type"] == "http" else None
        slot = scope["app"].state.pool.at_hand(asked.ref) if asked is not None else None
        if asked is None or slot is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = ONE if asked.query is None else SOME
        request = Request(scope, receive)
        try:
            response = await respond(request, asked.answer(slot))
        except CatteryError as err:
            response = await refuse(request, err)
        except Exception as err:
            log.exception("%s could not be answered", scope["path"])
            response = await fail(request, err)
        await response(scope, receive, send)

    def _asked(self, scope: Scope) -> _Asked | None:
        """Return what is asked, if it is something for the short way."""
        if scope["method"] != "GET" or scope.get("root_path"):
            return None
        path: str = scope["path"]
        if not path.startswith("/cats"):
            return None
        accept = self._accept(scope)
        if accept is None:
            return None
        if path == "/cats":
            query = parsed(scope["query_string"])
            return None if query is None else _Asked(query.model, query, accept)
        found = _PERMALINK.fullmatch(path)
        if found is None or scope["query_string"]:
            return None
        ref, seed, ending = found.groups()
        if int(seed) > MAX_SEED:
            return None
        return _Asked(ref, seed=int(seed), encoding=PictureFormat(ending))

    def _accept(self, scope: Scope) -> str | None:
        """Return the Accept header; None if another header wants a closer look."""
        host: bytes | None = None
        accept = []
        for name, value in scope["headers"]:
            if name == b"accept":
                accept.append(value.decode("latin-1"))
            elif name == b"host" and host is None:
                host = value
            elif name in _DETOURS or name == b"host":
                return None
        return ", ".join(accept) if self._is_welcome(host or b"", scope) else None

    def _is_welcome(self, host: bytes, scope: Scope) -> bool:
        """Return whether a Host may ask; those that were right are remembered."""
        if not self._is_guarded or host in self._hosts:
            return True
        scheme = "https" if scope.get("scheme") == "https" else "http"
        is_right = is_local_host(host.decode("latin-1"), scheme)
        if is_right and len(self._hosts) < MOST_HOSTS:
            self._hosts.add(host)
        return is_right


def parsed(query_string: bytes) -> CatsQuery | None:
    """Return the parameters of `GET /cats`; None if they are wrong, or not spelled plainly."""
    if b"%" in query_string or b"+" in query_string:
        return None
    fields: dict[str, str] = {}
    for pair in query_string.decode("latin-1").split("&") if query_string else ():
        name, equals, value = pair.partition("=")
        if not equals or name in fields:
            return None
        fields[name] = value
    try:
        return CatsQuery.model_validate(fields)
    except ValidationError:
        return None
