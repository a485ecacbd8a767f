"""The image formats that are read, recognized by content: a file's name decides nothing.

Few formats: each decoder is code that untrusted files can reach.
"""

from dataclasses import dataclass

BOX_BRANDS = 64  # bytes of a HEIF file's first box that are read: its brands


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes:
        suffixes: What its files are usually called.
        max_pixels: Images of more are rejected by their header. Decoding one stays below
            256 MB, by the most bytes per pixel that its decoder was seen to take.
    """

    suffixes: tuple[str, ...]
    max_pixels: int


# By the name that Pillow has for it. Bytes per pixel: JPEG 4, or 7 if progressive (see
# `opening`), PNG and BMP 5, WebP 16, AVIF 9, HEIF 5 or more (see `heif`).
FORMATS = {
    "JPEG": Format((".jpg", ".jpeg", ".jfif", ".jpe"), 60_000_000),
    "PNG": Format((".png",), 48_000_000),
    "WEBP": Format((".webp",), 15_000_000),
    "BMP": Format((".bmp",), 48_000_000),
    "AVIF": Format((".avif",), 24_000_000),
    "HEIF": Format((".heic", ".heif", ".hif"), 50_000_000),
}
MAX_PROGRESSIVE_PIXELS = 36_000_000

SUFFIXES = tuple(suffix for row in FORMATS.values() for suffix in row.suffixes)
NAMES = ", ".join(FORMATS)

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def recognize(content: bytes | bytearray) -> str | None:
    """Return the format of a file, a key of `FORMATS`, by its first bytes; None if unknown."""
    head = bytes(content[:BOX_BRANDS])
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM"):
        return "BMP"
    return _recognize_box(head) if head[4:8] == b"ftyp" else None


def _recognize_box(head: bytes) -> str | None:
    """Tell AVIF from HEIF, which share a container, by the brands in its first box."""
    end = min(int.from_bytes(head[:4], "big"), BOX_BRANDS)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    # AVIF first: its files may have a general brand of HEIF as well.
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None
