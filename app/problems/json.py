"""Values as JSON that every parser accepts."""

import json
from math import isfinite
from typing import Any

LONGEST_TEXT = 200
DEEPEST = 8


def plain(value: Any, *, longest: int | None = None, depth: int = 0) -> Any:
    """Return a value as JSON values, without NaN and infinity.

    Args:
        value: Anything.
        longest: Maximum length of strings, which are cut; None for no limit.
        depth: Nesting level of the value.
    """
    if isinstance(value, float) and not isfinite(value):
        return None if longest is None else repr(value)
    if isinstance(value, int | float | None):
        return value if longest is None or abs(value or 0) < 1e308 else "a huge number"
    if isinstance(value, dict | list | tuple) and depth < DEEPEST:
        return _inside(value, longest, depth + 1)
    text = value if isinstance(value, str) else repr(value)
    return text if longest is None else cut(text, longest)


def cut(text: str, longest: int) -> str:
    """Return a text, cut to a length and an ellipsis if it is longer."""
    return text if len(text) <= longest else text[:longest] + "…"


def brief(value: Any) -> Any:
    """Return a client's value, cut to a length fit for an error message."""
    short = plain(value, longest=LONGEST_TEXT)
    if isinstance(short, dict | list):
        text = encode(short).decode()
        return short if len(text) <= LONGEST_TEXT else cut(text, LONGEST_TEXT)
    return short


def encode(value: Any) -> bytes:
    """Return plain JSON values as UTF-8; a lone surrogate stays an escape."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="backslashreplace")


def _inside(value: Any, longest: int | None, depth: int) -> Any:
    if isinstance(value, dict):
        return {str(k): plain(v, longest=longest, depth=depth) for k, v in value.items()}
    return [plain(v, longest=longest, depth=depth) for v in value]
