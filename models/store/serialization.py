"""Records to JSON and back, driven by their own annotations."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from models.errors import StoreError

T = TypeVar("T")


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
        StoreError: A required key is missing or a value has the wrong type.
    """
    hints = typing.get_type_hints(cls)
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    try:
        return cls(**{k: _value(hints[k], v) for k, v in data.items() if k in names})
    except (TypeError, ValueError, KeyError, AttributeError) as err:
        raise StoreError(f"A {cls.__name__} record is damaged: {err}.") from err


def loads(cls: type[T], raw: bytes) -> T:
    """Parse a record from JSON bytes.

    Raises:
        StoreError: The bytes are not JSON or not such a record.
    """
    try:
        data = json.loads(raw)
    except ValueError as err:
        raise StoreError(f"A {cls.__name__} record is not JSON: {err}.") from err
    if not isinstance(data, dict):
        raise StoreError(f"A {cls.__name__} record is not a JSON object.")
    return from_json(cls, data)


def _value(hint: Any, value: Any) -> Any:
    """Rebuild what JSON flattens: nested records, enums and tuples."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        # Records have optional fields, but no other unions.
        inner = [a for a in typing.get_args(hint) if a is not types.NoneType]
        return None if value is None else _value(inner[0], value)
    if origin is tuple:
        return tuple(_value(typing.get_args(hint)[0], v) for v in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
