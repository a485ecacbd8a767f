"""Range requests of files (RFC 9110, section 14): what a Range header asks for."""

import re
from collections.abc import Iterator

from starlette.requests import Request

from app.problems.errors import RangeNotSatisfiable

MAX_RANGES = 16  # a download resumes with one; many small ones cost more than the whole file

_BYTES = re.compile(r"bytes\s*=\s*(.*)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18})")


def normalize_range(request: Request, size: int, etag: str) -> None:
    """Reduce a request's Range header to ranges that exist, for Starlette's `FileResponse`.

    A header is removed if the whole file should be sent: other units, invalid syntax and
    methods for which ranges are not defined are ignored.

    Args:
        request: The request, whose headers are replaced.
        size: Size of the file, bytes.
        etag: Its entity tag, with which an If-Range must agree.

    Raises:
        RangeNotSatisfiable: The header is valid, and all of its ranges are beyond the end.
    """
    given = request.headers.getlist("range")
    if not given:
        return
    valid = request.method == "GET" and request.headers.get("if-range", etag) == etag
    wanted = _parse(given[0]) if valid and len(given) == 1 else []
    kept = [(first, last) for first, last in _resolve(wanted, size) if first <= last]
    if wanted and not kept:
        raise RangeNotSatisfiable(given[0], size)
    others = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    if kept:
        text = ",".join(f"{first}-{last}" for first, last in kept)
        others.append((b"range", b"bytes=" + text.encode()))
    request.scope["headers"] = others


def _parse(header: str) -> list[tuple[str, str, str]]:
    """Return first and last byte or the length of a suffix, as text; empty if invalid."""
    unit = _BYTES.fullmatch(header.strip())
    if unit is None:
        return []
    members = [member.strip() for member in unit[1].split(",") if member.strip()]
    found = [match for member in members if (match := _RANGE.fullmatch(member))]
    if len(found) < len(members) or len(found) > MAX_RANGES:
        return []
    ranges = [(match[1] or "", match[2] or "", match[3] or "") for match in found]
    # "5-2" makes the whole header invalid, unlike "5-" of a file with three bytes.
    is_valid = all(not last or int(first) <= int(last) for first, last, _ in ranges)
    return ranges if is_valid else []


def _resolve(ranges: list[tuple[str, str, str]], size: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last byte of each range; first > last if it is beyond the end."""
    for first, last, suffix in ranges:
        if suffix:
            yield (max(0, size - int(suffix)), size - 1) if int(suffix) else (1, 0)
        else:
            yield int(first), min(int(last), size - 1) if last else size - 1
