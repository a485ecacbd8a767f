"""Untrusted zips: one that may exhaust the machine is rejected before anything is read.

What is wrong with one entry rejects that entry alone, when its turn comes, as one bad file in a
folder would be. Nothing is ever extracted to disk, so no path in a zip can do harm.
"""

import mmap
import re
import stat
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

from models.datasets.rejections import Reason, Refused
from models.errors import DatasetError

MAX_ENTRIES = 200_000  # `zipfile` creates an object for each
MAX_DIRECTORY_BYTES = 64 * 2**20  # `zipfile` reads the table of contents at once
MAX_TOTAL_BYTES = 64 * 2**30  # uncompressed
NEWEST_VERSION = 63  # of the format; `zipfile` rejects a zip that has one entry of a newer one

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
_VERSION = 6  # offset of the version needed to read it
_HIGH_FLAGS = 9
_SIZES = 20  # packed and unpacked, 4 bytes each
_UTF8 = 0x08  # of the higher byte of flags: the name is UTF-8

# An extra field is a list of blocks: tag, length, content.
_BLOCK = struct.Struct("<HH")
_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075
_DAMAGED = 0xDA3A  # of no format: what a damaged extra field is replaced by


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip after checking its directory.

    Raises:
        DatasetError: It is no zip, damaged, or beyond the limits.
    """
    try:
        with path.open("rb") as file:
            patches = _scan(file, path.name)
            # The file itself if nothing is to be patched: a map of it dies if it is truncated.
            source = cast("IO[bytes]", _Patched(file, patches)) if patches else path
            archive = zipfile.ZipFile(source)
    except FileNotFoundError as err:
        raise DatasetError("source", path.name, "a file that exists") from err
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as err:
        raise DatasetError("source", path.name, f"a readable zip ({err})") from err
    try:
        _check_totals(archive.infolist(), path)
    except DatasetError:
        archive.close()
        raise
    return archive


def check_entry(entry: zipfile.ZipInfo) -> None:
    """Reject an entry that must not or cannot be read.

    Raises:
        Refused: Its path leads out of the zip, it is damaged, no plain file, encrypted, or
            compressed in another way.
    """
    # orig_filename too: zipfile truncates names at a NUL.
    for name in (entry.filename, entry.orig_filename):
        flat = name.replace("\\", "/")
        if flat.startswith("/") or _DRIVE.match(flat):
            raise Refused(Reason.NAME, "an absolute path")
        if ".." in flat.split("/"):
            raise Refused(Reason.NAME, "a path out of its folder")
        if "\0" in flat:
            raise Refused(Reason.NAME, "a path with a NUL")
    if entry.extra.startswith(_DAMAGED.to_bytes(2, "little")):
        raise Refused(Reason.UNREADABLE, "its extra field in the zip is damaged")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise Refused(Reason.LINK, "a link in a zip, where none are followed")
    if kind not in (0, stat.S_IFREG):
        raise Refused(Reason.UNSUPPORTED, "not a regular file")
    if entry.flag_bits & _ENCRYPTED:
        raise Refused(Reason.UNSUPPORTED, "encrypted; files without a password are read")
    if entry.compress_type not in METHODS:
        detail = f"compressed by method {entry.compress_type}; stored or deflated files are read"
        raise Refused(Reason.UNSUPPORTED, detail)


def _check_totals(entries: Sequence[zipfile.ZipInfo], path: Path) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise _refusal(path.name, f"{total} bytes unpacked", f"at most {MAX_TOTAL_BYTES}")
    # Many entries may share one piece of the file, which would be unpacked for each of them.
    packed, size = sum(entry.compress_size for entry in entries), path.stat().st_size
    if packed > size:
        found = f"entries of {packed} bytes in a file of {size}"
        raise _refusal(path.name, found, "entries that do not overlap")


def _refusal(name: str, found: str, allowed: str) -> DatasetError:
    return DatasetError("source", f"{name[:200]}: {found}", f"a zip with {allowed}")


def _scan(file: BinaryIO, name: str) -> dict[int, int]:
    """Count the directory's entries before `zipfile` creates an object for each.

    Returns:
        What to change in the directory so that one entry does not make `zipfile` reject all:
        bytes by position.
    """
    start, size = _directory(file)
    if size > MAX_DIRECTORY_BYTES:
        found = f"a table of contents of {size} bytes"
        raise _refusal(name, found, f"at most {MAX_DIRECTORY_BYTES} bytes of it")
    file.seek(start)
    directory_end = start + size
    count, position = 0, start
    patches: dict[int, int] = {}
    while position + _ENTRY_SIZE <= directory_end:
        header = file.read(_ENTRY_SIZE)
        if len(header) < _ENTRY_SIZE or header[:4] != _ENTRY:
            break  # damaged: zipfile stops here as well and reports it
        count += 1
        if count > MAX_ENTRIES:
            raise _refusal(name, f"over {MAX_ENTRIES} entries", f"at most {MAX_ENTRIES} entries")
        lengths = struct.unpack_from("<HHH", header, 28)  # name, extra field, comment
        name_bytes, extra = file.read(lengths[0]), file.read(lengths[1])
        patches.update(_patches(header, name_bytes, position))
        if _is_damaged(extra, header):
            patches.update(_without_extra(position, len(name_bytes), len(extra)))
        position += _ENTRY_SIZE + sum(lengths)
        file.seek(position)
    return patches


def _patches(header: bytes, name: bytes, position: int) -> dict[int, int]:
    """Return what to change in one entry of the directory, at `position` in the file."""
    patches = {}
    if header[_VERSION] > NEWEST_VERSION:
        patches[position + _VERSION] = NEWEST_VERSION  # its method decides whether it is read
    if header[_HIGH_FLAGS] & _UTF8:
        try:
            name.decode("utf-8")
        except UnicodeDecodeError:
            # Decoded as the format's older names are; reading it fails, and rejects it alone.
            patches[position + _HIGH_FLAGS] = header[_HIGH_FLAGS] & ~_UTF8
    return patches


def _is_damaged(extra: bytes, header: bytes) -> bool:
    """Whether `zipfile` would reject the whole zip for the extra field of an entry."""
    while len(extra) >= _BLOCK.size:
        tag, length = _BLOCK.unpack_from(extra)
        block, extra = extra[_BLOCK.size :][:length], extra[_BLOCK.size + length :]
        if len(block) < length:
            return True
        if tag == _ZIP64 and len(block) < 8 * _sizes_elsewhere(header):
            return True
        if tag == _UNICODE_PATH and not _is_unicode_path(block):
            return True
    return False


def _sizes_elsewhere(header: bytes) -> int:
    """Count the numbers that an entry leaves to its zip64 block: two sizes and the offset."""
    numbers = (*struct.unpack_from("<LL", header, _SIZES), *struct.unpack_from("<L", header, 42))
    return numbers.count(0xFFFF_FFFF)


def _is_unicode_path(block: bytes) -> bool:
    """Whether later versions of Python can decode a path in UTF-8, after version and CRC."""
    try:
        block[5:].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(block) >= 5


def _without_extra(position: int, name_length: int, length: int) -> dict[int, int]:
    """Return what turns a damaged extra field into one block, which marks the entry."""
    start = position + _ENTRY_SIZE + name_length
    block = _BLOCK.pack(_DAMAGED, length - _BLOCK.size)
    # Its sizes may be in the field, so that they are unknown; nobody reads the entry.
    return {
        **dict(enumerate(block, start)),
        **dict.fromkeys(range(position + _SIZES, position + _SIZES + 8), 0),
    }


class _Patched(mmap.mmap):
    """A file in memory, private to this process, with some bytes changed."""

    def __new__(cls, file: BinaryIO, patches: Mapping[int, int]) -> Self:
        patched = super().__new__(cls, file.fileno(), 0, access=mmap.ACCESS_COPY)
        for position, value in patches.items():
            patched[position] = value
        return patched

    def seekable(self) -> bool:
        """Return True; `mmap` has this method since Python 3.13 only, and `zipfile` asks."""
        return True


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
