"""PNG files without the chunks that no pixel depends on.

Pillow rejects a file for a wrong checksum or too much text in chunks that browsers and viewers
skip: a workflow of 3 MB, a color profile of 2 MB, a date written by a careless tool.
"""

import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Transparency, and where the orientation may be written: EXIF, or older tools' text.
_KEPT = (b"tRNS", b"eXIf")
_ORIENTED_TEXT = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
_LONGEST_KEPT = 2**16  # bytes; an orientation is within a few hundred
_FRAME = 12  # bytes of a chunk besides its data: length, type, checksum


def essential(raw: bytes) -> bytes:
    """Return a PNG file with the chunks that pixels and orientation depend on.

    Whatever is damaged in the others is left to the decoder, which rejects it.
    """
    kept: list[memoryview] = []
    seen = len(SIGNATURE)
    for chunk in _chunks(raw):
        seen += len(chunk)
        is_critical = not chunk[4] & 0x20  # upper case: no decoder may skip it
        if is_critical or _is_wanted(chunk):
            kept.append(chunk)
    rest = memoryview(raw)[seen:]
    if sum(map(len, kept)) + len(SIGNATURE) + len(rest) == len(raw):
        return raw  # nothing to leave out, which spares copying it
    return b"".join([SIGNATURE, *kept, rest])


def bit_depth(raw: bytes) -> int:
    """Return the bits per channel that a PNG file's header declares; 0 if it has none."""
    return raw[24] if len(raw) > 24 else 0


def _chunks(raw: bytes) -> Iterator[memoryview]:
    """Yield the chunks up to the first that is cut off."""
    view, start = memoryview(raw), len(SIGNATURE)
    while start + _FRAME <= len(raw):
        end = start + _FRAME + int.from_bytes(view[start : start + 4], "big")
        if end > len(raw):
            return
        yield view[start:end]
        start = end


def _is_wanted(chunk: memoryview) -> bool:
    if len(chunk) > _LONGEST_KEPT:
        return False
    kind, data = bytes(chunk[4:8]), bytes(chunk[8:40])
    if kind not in _KEPT and not data.startswith(_ORIENTED_TEXT):
        return False
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
