"""JSON bodies, of which every part must be read the same by every parser (RFC 8259)."""

import json
from typing import Any

from app.problems.errors import MalformedBody
from models.errors import InvalidValue


def check_json(body: bytes) -> None:
    """Check that a body is JSON in which no object has the same name twice.

    Args:
        body: The body; an empty one is left to the caller.

    Raises:
        MalformedBody: It is not JSON.
        InvalidValue: A name occurs more than once in an object.
    """
    if not body:
        return
    try:
        json.loads(body, object_pairs_hook=_unique)
    except json.JSONDecodeError as err:
        raise MalformedBody(f"{err.msg} at character {err.pos}") from err
    except UnicodeDecodeError as err:
        raise MalformedBody(f"byte {err.start} is not {err.encoding.upper()}") from err
    except RecursionError as err:
        raise MalformedBody("it is nested too deeply") from err
    except InvalidValue:
        raise
    except ValueError as err:  # Python converts no numbers of more than 4300 digits
        raise MalformedBody("it has a number with too many digits") from err


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members."""
    members = dict(pairs)
    if len(members) < len(pairs):
        # Parsers keep the first, or the last, or both: an order must not depend on that.
        name = next(name for name in members if sum(name == other for other, _ in pairs) > 1)
        values = [value for other, value in pairs if other == name]
        raise InvalidValue(name, values, "it once", f"{name[:100]} occurs {len(values)} times.")
    return members
