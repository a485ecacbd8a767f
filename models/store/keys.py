"""API keys: what each may do, and how one is recognized without being kept.

A key is shown once, when it is made. The store has a salted hash of its secret half; its other
half is the record's name, so that recognizing a key reads one file. The secret has 256 random
bits: nobody can try them all, and a hash made to be slow would only let strangers spend our time.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from models.errors import BadEntry, Conflict, InvalidValue, NotFound
from models.store.names import check_name, timestamp
from models.store.record_cache import RecordCache
from models.store.records import KeyRecord
from models.store.serialization import dumps
from models.store.tree import Tree

FOLDER = "keys"
ID_BYTES = 6
SECRET_BYTES = 32
SALT_BYTES = 16

# The prefix lets scanners of published code recognize a key that was committed by mistake.
_TOKEN = re.compile(r"cattery_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_ID = re.compile(r"[0-9a-f]{12}")

# Inside a class that has a method `list` the type cannot be named.
KeyRecords = list[KeyRecord]


class Scope(StrEnum):
    """What a key allows; reading requires no key."""

    VOTE = "vote"
    TRAIN = "train"
    PUBLISH = "publish"
    ADMIN = "admin"


class Keys:
    """All keys of the store: `keys/{id}.json`. Thread-safe."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._records = RecordCache(tree, KeyRecord)

    def add(self, name: str, scopes: Iterable[str]) -> tuple[KeyRecord, str]:
        """Make a key.

        Args:
            name: Who or what uses it.
            scopes: What it allows.

        Returns:
            Its record, and the key itself, which cannot be read again.

        Raises:
            InvalidValue: The name or a scope is invalid, or there is no scope.
            Conflict: A valid key has that name.
        """
        given = set(scopes)
        if not given or given - set(Scope):
            unknown = ", ".join(sorted(given - set(Scope))) or None
            raise InvalidValue("scope", unknown, f"one or more of {', '.join(Scope)}")
        check_name("name", name)
        if any(key.name == name and not key.revoked_at for key in self.list()):
            raise Conflict(f"There is a key {name!r}.", "Choose another name, or revoke it first.")
        secret, salt = secrets.token_urlsafe(SECRET_BYTES), secrets.token_hex(SALT_BYTES)
        record = KeyRecord(
            id=secrets.token_hex(ID_BYTES),
            name=name,
            scopes=tuple(scope.value for scope in Scope if scope in given),
            salt=salt,
            hash=_hash(secret, salt),
            created_at=timestamp(),
        )
        self._tree.create(_path(record.id), dumps(record))
        return record, f"cattery_{record.id}_{secret}"

    def list(self) -> KeyRecords:
        """Return all keys, revoked ones included, oldest first."""
        names = [name.removesuffix(".json") for name in self._tree.names(FOLDER)]
        found = self._records.many([_path(name) for name in names if _ID.fullmatch(name)])
        return sorted(found, key=lambda key: key.created_at)

    def exist(self) -> bool:
        """Whether a key was ever made here; revoking the last one must not open the service."""
        return bool(self._tree.names(FOLDER))

    def find(self, token: str) -> KeyRecord | None:
        """Return the record of a valid key; None for one that is unknown, wrong or revoked.

        Raises:
            StoreError: The store cannot be read.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        try:
            record = self._records.get(_path(parts[1]))
        except (FileNotFoundError, BadEntry):  # a damaged one is reported, and opens nothing
            return None
        is_right = hmac.compare_digest(_hash(parts[2], record.salt), record.hash)
        return record if is_right and record.revoked_at is None else None

    def revoke(self, key: str) -> KeyRecord:
        """Make a key invalid; its record stays, so that the id never means another.

        Args:
            key: Its id or name.

        Raises:
            NotFound: There is no valid key like that.
        """
        valid = [record for record in self.list() if record.revoked_at is None]
        found = next((record for record in valid if key in (record.id, record.name)), None)
        if found is None:
            raise NotFound("key", key, [record.name for record in valid])
        revoked = replace(found, revoked_at=timestamp())
        self._tree.write(_path(found.id), dumps(revoked))
        return revoked


def _path(key: str) -> str:
    return f"{FOLDER}/{key}.json"


def _hash(secret: str, salt: str) -> str:
    """Return the salted hash of a key's secret half, hexadecimal."""
    digest = hashlib.blake2b(
        secret.encode(), digest_size=32, salt=bytes.fromhex(salt), person=b"cattery key"
    )
    return digest.hexdigest()
