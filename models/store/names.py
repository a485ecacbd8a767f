"""Names and ids that become parts of a path: the one place where they are checked."""

import hashlib
import json
import re
from datetime import UTC, datetime
from uuid import uuid4

from models.errors import InvalidValue

NAME_RULE = (
    "1 to 63 characters: lower-case letters, digits, '.', '_' and '-', beginning with a "
    "letter or digit, no '..', no '.' at the end"
)

# fullmatch everywhere: `$` would let a name end in a newline.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_VERSION = re.compile(r"[0-9a-f]{12}")
_PREFIX = re.compile(r"[0-9a-f]{4,12}")
_JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(field: str, value: str) -> str:
    """Return a valid name of a model or dataset; InvalidValue, naming the field, for another."""
    if not is_name(value):
        raise InvalidValue(field, value, NAME_RULE)
    return value


def check_label(field: str, value: str) -> str:
    """Return a valid label of a sample, state or reference; InvalidValue for another."""
    if not is_label(value):
        raise InvalidValue(field, value, "letters, digits, '.', '_' and '-', at most 63")
    return value


def is_name(value: str) -> bool:
    """Whether a model or dataset may have this name."""
    return bool(_NAME.fullmatch(value)) and ".." not in value and not value.endswith(".")


def is_label(value: str) -> bool:
    """Whether a file of a job or dataset may have this name."""
    return bool(_LABEL.fullmatch(value)) and ".." not in value


def is_version(value: str) -> bool:
    """Whether this could be a version's id."""
    return bool(_VERSION.fullmatch(value))


def is_version_prefix(value: str) -> bool:
    """Whether this could be an abbreviated version id."""
    return bool(_PREFIX.fullmatch(value))


def is_job(value: str) -> bool:
    """Whether this could be a job's id."""
    return bool(_JOB.fullmatch(value))


def new_job(key: str | None) -> str:
    """Return a job id: derived from its Idempotency-Key, or one that sorts by time.

    Raises:
        InvalidValue: The key is empty.
    """
    if key is None:
        return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"
    if not key:
        raise InvalidValue("Idempotency-Key", key, "any nonempty text")
    # Hashed, since a key may be any text, but an id becomes part of a path.
    return "k-" + hashlib.sha256(key.encode()).hexdigest()[:20]


def timestamp() -> str:
    """Return the time now, ISO 8601 in UTC with microseconds; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def age_s(at: str) -> float:
    """Return the seconds since a `timestamp`."""
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def marker(**details: object) -> bytes:
    """Return the content of a marker file, whose existence is what counts: its time, as JSON."""
    return (json.dumps({"at": timestamp(), **details}) + "\n").encode()
