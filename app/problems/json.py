"""Values as JSON that every parser takes."""

import json
from math import isfinite
from typing import Any

LONGEST_TEXT = 200
DEEPEST = 8


def plain(value: Any, *, longest: int | None = None, depth: int = 0) -> Any:
    """Return a value as JSON values: no NaN, no infinity, nothing endless.

    Args:
        value: Anything.
        longest: Cut texts to so many characters; None leaves them whole.
        depth: How deep inside the outermost value this one lies.
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
    """Return a text, shortened to so many characters and an ellipsis."""
    return text if len(text) <= longest else text[:longest] + "…"


def brief(value: Any) -> Any:
    """Return what a client sent, cut to a length fit for an error message."""
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
