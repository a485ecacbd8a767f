"""Untrusted zips: checked before anything is read, and rejected as a whole.

Nothing is ever extracted to disk, so no path in a zip can do harm; a zip that tries is rejected
all the same.
"""

import re
import stat
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from models.errors import DatasetError

MAX_ENTRIES = 200_000  # `zipfile` creates an object for each
MAX_DIRECTORY_BYTES = 64 * 2**20  # `zipfile` reads the table of contents at once
MAX_TOTAL_BYTES = 64 * 2**30  # uncompressed
MAX_RATIO = 200  # deflate reaches 1,032; images, compressed already, about 1
RATIO_FROM_BYTES = 2**20  # smaller entries may compress arbitrarily well

# `zipfile` inflates bzip2 and LZMA a chunk at a time, however large the result.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DRIVE = re.compile(r"^[A-Za-z]:")
_ENCRYPTED = 0x1
_END = b"PK\x05\x06"
_END_SIZE = 22
_LONGEST_COMMENT = 0x10000  # as `zipfile` has it
_LOCATOR = b"PK\x06\x07"
_LOCATOR_SIZE = 20
_END64 = b"PK\x06\x06"
_END64_SIZE = 56
_ENTRY = b"PK\x01\x02"
_ENTRY_SIZE = 46


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip after checking its directory.

    Raises:
        DatasetError: It is no zip, damaged, or beyond the limits.
    """
    try:
        with path.open("rb") as file:
            _limit_entries(file, path.name)
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as err:
        raise DatasetError("source", path.name, "a file that exists") from err
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as err:
        raise DatasetError("source", path.name, f"a readable zip ({err})") from err
    try:
        _check(archive.infolist(), path)
    except DatasetError:
        archive.close()
        raise
    return archive


def _check(entries: Sequence[zipfile.ZipInfo], path: Path) -> None:
    for entry in entries:
        _check_path(entry)
        _check_kind(entry)
        _check_ratio(entry.filename, entry.file_size, entry.compress_size)
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise _refusal(path.name, f"{total} bytes unpacked", f"at most {MAX_TOTAL_BYTES}")
    # Overlapping entries (a zip bomb) each look harmless; their sum does not.
    _check_ratio(path.name, total, path.stat().st_size)


def _check_path(entry: zipfile.ZipInfo) -> None:
    # orig_filename too: zipfile truncates names at a NUL.
    for name in (entry.filename, entry.orig_filename):
        flat = name.replace("\\", "/")
        if flat.startswith("/") or _DRIVE.match(flat):
            raise _refusal(name, "an absolute path", "relative paths only")
        if ".." in flat.split("/"):
            raise _refusal(name, "a path out of its folder", "paths without ..")
        if "\0" in flat:
            raise _refusal(name, "a path with a NUL", "plain paths")


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise _refusal(entry.filename, what, "plain files and folders only")
    if entry.flag_bits & _ENCRYPTED:
        raise _refusal(entry.filename, "encrypted", "files without a password")
    if entry.compress_type not in METHODS:
        method = f"compressed by method {entry.compress_type}"
        raise _refusal(entry.filename, method, "stored or deflated files")


def _check_ratio(name: str, unpacked: int, packed: int) -> None:
    if unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * packed:
        found = f"{unpacked} bytes packed into {packed}"
        raise _refusal(name, found, f"at most {MAX_RATIO} to 1")


def _refusal(name: str, found: str, allowed: str) -> DatasetError:
    return DatasetError("source", f"{name[:200]}: {found}", f"a zip with {allowed}")


def _limit_entries(file: BinaryIO, name: str) -> None:
    """Count the directory's entries before `zipfile` creates an object for each."""
    start, size = _directory(file)
    if size > MAX_DIRECTORY_BYTES:
        found = f"a table of contents of {size} bytes"
        raise _refusal(name, found, f"at most {MAX_DIRECTORY_BYTES} bytes of it")
    file.seek(start)
    directory_end = start + size
    count, position = 0, start
    while position + _ENTRY_SIZE <= directory_end:
        header = file.read(_ENTRY_SIZE)
        if len(header) < _ENTRY_SIZE or header[:4] != _ENTRY:
            return  # damaged: zipfile stops here as well and reports it
        count += 1
        if count > MAX_ENTRIES:
            raise _refusal(name, f"over {MAX_ENTRIES} entries", f"at most {MAX_ENTRIES} entries")
        rest = sum(struct.unpack_from("<HHH", header, 28))  # name, extra field, comment
        position += _ENTRY_SIZE + rest
        file.seek(position)


def _directory(file: BinaryIO) -> tuple[int, int]:
    """Find the central directory where `zipfile` will.

    Returns:
        Its offset and its size in bytes; (0, 0) if there is none.
    """
    end = file.seek(0, 2)
    tail_start = max(0, end - _LONGEST_COMMENT - _END_SIZE)
    file.seek(tail_start)
    tail = file.read()
    place = len(tail) - _END_SIZE
    # As zipfile does: a record at the very end, without a comment, else the last one found. A
    # scan that chose another would count the entries of a directory that is never read.
    if not (tail[place:].startswith(_END) and tail.endswith(b"\0\0")):
        place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        return 0, 0
    size = struct.unpack_from("<L", tail, place + 12)[0]
    start = tail_start + place
    size64 = _directory_size64(file, start)
    if size64 is not None:
        size, start = size64, start - _LOCATOR_SIZE - _END64_SIZE
    return max(0, start - size), size


def _directory_size64(file: BinaryIO, end_record: int) -> int | None:
    """Return the directory's size by the 64-bit end record, None if there is none."""
    start = end_record - _LOCATOR_SIZE - _END64_SIZE
    if start < 0:
        return None
    file.seek(start)
    record = file.read(_END64_SIZE + _LOCATOR_SIZE)
    if record[:4] != _END64 or record[_END64_SIZE:][:4] != _LOCATOR:
        return None
    return int(struct.unpack_from("<Q", record, 40)[0])
