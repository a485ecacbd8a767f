"""Who sends a request: the keys that the service accepts, and whether it requires one."""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers

from app.http.key_strength import weakness_of
from app.problems.errors import SettingsError
from app.settings import AppSettings
from models.store import Store
from models.store.keys import Keys, Scope

CLIENT = "cattery.client"
"""Where a request's scope has the `Client` whose key was checked."""

SETTING = "CATTERY_API_KEY"
NEW_KEY = "Make one with `openssl rand -hex 32`, or use `cattery keys add`."


@dataclass(frozen=True, slots=True)
class Client:
    """Who has shown a valid key.

    Attributes:
        id: Of the key; "environment" for that of the settings.
        scopes: What the key allows.
    """

    id: str
    scopes: frozenset[str]


ENVIRONMENT = Client("environment", frozenset(Scope))


class KeyRing:
    """The keys of the settings and of the store.

    Args:
        own: The key of the settings, or None.
        keys: Those of the store.
        is_required: Whether changes need a key.
    """

    def __init__(self, own: str | None, keys: Keys, *, is_required: bool) -> None:
        self.is_required = is_required
        self._keys = keys
        # Compared as keyed hashes: of one length, and of no use to who could read this memory.
        self._pepper = secrets.token_bytes(32)
        self._own = None if own is None else self._digest(own.encode())

    @classmethod
    def open(cls, settings: AppSettings, store: Store) -> Self:
        """Return the key ring of a service; reads the store.

        Raises:
            StoreError: The store cannot be read.
        """
        own = settings.key
        # Decided once: a first key must not lock out a running service's own page halfway.
        return cls(own, store.keys, is_required=own is not None or store.keys.exist())

    async def client_of(self, headers: Headers) -> Client | None:
        """Return who sent a request; None without exactly one valid key.

        Raises:
            StoreError: The store cannot be read.
        """
        given = headers.getlist("authorization")
        if len(given) != 1:  # two: a proxy may have checked the other one
            return None
        scheme, _, token = given[0].partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip()
        # As bytes: headers are Latin-1, whatever the client meant.
        if self._own is not None and hmac.compare_digest(
            self._digest(token.encode("latin-1")), self._own
        ):
            return ENVIRONMENT
        record = await asyncio.to_thread(self._keys.find, token)
        return None if record is None else Client(record.id, frozenset(record.scopes))

    def _digest(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, key=self._pepper).digest()


def check_closed(settings: AppSettings, store: Store | None = None) -> None:
    """Reject settings that would let the whole network in.

    Args:
        settings: The front end's settings.
        store: Its store; default: that of the settings.

    Raises:
        SettingsError: The address is not loopback, and there is no key, or a weak one.
        StoreError: The store cannot be read.
    """
    if settings.is_local:
        return
    if settings.key is None:
        if (store or Store(settings.store_url)).keys.exist():
            return
        raise SettingsError(
            f"Listening on {settings.host!r} would let the whole network change things.",
            f"Set {SETTING}, add a key with `cattery keys add`, or set CATTERY_HOST=127.0.0.1.",
        )
    if weakness := weakness_of(settings.key):
        raise SettingsError(
            f"The key in {SETTING} {weakness}, and {settings.host!r} is open to the network.",
            NEW_KEY,
        )
