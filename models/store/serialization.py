"""Records to JSON and back, driven by their own annotations."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from models.errors import StoreError
from models.store.validation import check

T = TypeVar("T")

MOST_LEVELS = 32  # of lists and objects in each other; ours have at most six
MOST_INTEGER = 1 << 63  # what readers in other languages can hold


def to_json(record: Any) -> dict[str, Any]:
    """Return a dataclass record as plain JSON values."""
    # Through JSON, so that tuples and enums become what a reader of the file gets.
    plain = dataclasses.asdict(record)
    return typing.cast("dict[str, Any]", json.loads(json.dumps(plain)))


def dumps(record: Any) -> bytes:
    """Return a dataclass record as indented UTF-8 JSON with a final newline."""
    return (json.dumps(to_json(record), indent=2, ensure_ascii=False) + "\n").encode()


def from_json(cls: type[T], data: Mapping[str, Any]) -> T:
    """Build a record from JSON, ignoring unknown keys.

    Raises:
        StoreError: A required key is missing, or a value has the wrong type or is not allowed.
    """
    try:
        _check_plain(data)
        record: T = _record(cls, data)
        check(record)
    except (TypeError, ValueError) as err:
        raise StoreError(f"The {words_of(cls)} record is damaged: {err}.") from err
    return record


def loads(cls: type[T], raw: bytes) -> T:
    """Parse a record from JSON bytes.

    Raises:
        StoreError: The bytes are not JSON or not such a record.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as err:
        raise StoreError(f"The {words_of(cls)} record is not JSON: {err}.") from err
    if not isinstance(data, dict):
        raise StoreError(f"The {words_of(cls)} record is not a JSON object.")
    return from_json(cls, data)


def words_of(cls: type) -> str:
    """Return what a class records, in words: "training order" for TrainingOrder."""
    parts = re.findall("[A-Z][a-z]*", cls.__name__.removesuffix("Record"))
    return " ".join(parts).lower()


def _check_plain(value: Any, levels: int = MOST_LEVELS) -> None:
    """Raise ValueError for JSON that could be read, but not written or sent again."""
    if isinstance(value, str):
        value.encode()  # fails for half a surrogate pair
    elif isinstance(value, int) and not -MOST_INTEGER <= value < MOST_INTEGER:
        raise ValueError("a number is too large")
    elif isinstance(value, dict | list):
        if levels == 0:
            raise ValueError(f"it nests more than {MOST_LEVELS} levels deep")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_plain(part, levels - 1)


def _record(cls: Any, data: Any) -> Any:
    """Build a dataclass from a JSON object; ValueError or TypeError, naming the field."""
    hints = typing.get_type_hints(cls)
    given = _typed(data, dict, "an object")
    known = {field.name for field in dataclasses.fields(cls)} & given.keys()
    values = {}
    for name in sorted(known):
        try:
            values[name] = _value(hints[name], given[name])
        except (TypeError, ValueError) as err:
            raise ValueError(f"{name}: {err}") from err
    return cls(**values)


def _value(hint: Any, value: Any) -> Any:
    """Check a value, and rebuild what JSON flattens: nested records, enums and tuples."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        # Records have optional fields, but no other unions.
        inner = [part for part in parts if part is not types.NoneType]
        return None if value is None else _value(inner[0], value)
    if origin in (tuple, list):
        return origin(_value(parts[0], one) for one in _typed(value, list, "a list"))
    if origin is dict:
        items = _typed(value, dict, "an object").items()
        return {key: _value(parts[1], one) for key, one in items}
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return _record(hint, value)
    if issubclass(hint, Enum):
        return hint(value)
    return _typed(value, *_PLAIN[hint])


# Integers are numbers, but in Python truth values are integers.
_PLAIN: Mapping[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    bool: (bool, "true or false"),
    int: (int, "an integer"),
    float: (int | float, "a number"),
}


def _typed(value: Any, kind: Any, in_words: str) -> Any:
    """Return a value of a type; TypeError, in words, for another."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r:.60} is not {in_words}")
    return value
