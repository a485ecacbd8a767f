"""Several pictures in a zip or a multipart message, with reproducible bytes."""

import io
import zipfile
from collections.abc import Mapping

_DATE = (1980, 1, 1, 0, 0, 0)  # the format's earliest: the bytes must not depend on the time


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files, without compression."""
    # Deflate takes time and saves nothing on PNG and WebP.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, on any platform: the bytes must not depend on it
            bundle.writestr(entry, data)
    return buffer.getvalue()


def multipart_of(
    files: Mapping[str, bytes], boundary: str, locations: Mapping[str, str], media_type: str
) -> bytes:
    """Return a multipart/mixed body.

    Args:
        files: Content by file name.
        boundary: Separator of the parts; must not occur in them.
        locations: Address of each part, by file name.
        media_type: Media type of each part.
    """
    lines: list[bytes] = []
    for name, data in files.items():
        head = (
            f"--{boundary}\r\n"
            f"Content-Type: {media_type}\r\n"
            f"Content-Length: {len(data)}\r\n"
            f'Content-Disposition: inline; filename="{name}"\r\n'
            f"Content-Location: {locations[name]}\r\n\r\n"
        )
        lines += [head.encode(), data, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])
