"""Errors that cross from the engine host to a front end, and are the same there."""

import json
from collections.abc import Mapping
from typing import Any

from app.problems.errors import Busy, DeadlineExceeded
from models.errors import (
    CatteryError,
    CheckpointError,
    Conflict,
    Gone,
    InvalidValue,
    NotFound,
    StoreError,
)

KINDS = (
    CatteryError,
    Busy,
    CheckpointError,
    Conflict,
    DeadlineExceeded,
    Gone,
    InvalidValue,
    NotFound,
    StoreError,
)


class HostFailed(RuntimeError):
    """Something broke in the engine host that nobody foresaw; the message is its own."""


def failure_told(err: Exception) -> dict[str, Any]:
    """Return an error as plain data: its kind, and the attributes that its message is made of."""
    if not isinstance(err, CatteryError):
        return {"kind": "", "words": f"{type(err).__name__}: {err}"}
    kind = next(each for each in type(err).__mro__ if each in KINDS)
    # Attributes are data (models.errors); a value from outside may be anything.
    data = json.loads(json.dumps(vars(err), default=repr))
    return {"kind": kind.__name__, "data": data}


def failure_of(told: Mapping[str, Any]) -> Exception:
    """Return the error that `failure_told` told, to be raised again."""
    kind = next((each for each in KINDS if each.__name__ == told.get("kind")), None)
    if kind is None:
        return HostFailed(str(told.get("words", "")))
    # Not by the constructor: each kind has another, and all of them do no more than this.
    err = kind.__new__(kind)
    for name, value in told["data"].items():
        setattr(err, name, tuple(value) if isinstance(value, list) else value)
    return err
