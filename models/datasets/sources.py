"""Sources of images: a folder or a zip, as one sorted list of files to read."""

import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from models.datasets import landmarks, zips
from models.datasets.rejections import Reason, Refused
from models.datasets.signatures import NAMES, SUFFIXES, recognize

MAX_FILE_BYTES = 64 * 2**20  # a file is read whole, in several threads
CHUNK_BYTES = 2**20  # read beyond a limit, at most

# What operating systems leave beside images: not worth reporting as rejected.
LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")

Read = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source.

    Attributes:
        name: Path within the source, with "/".
        read: Returns the content; raises `Refused` if it cannot.
        read_landmarks: The same for its `.cat` file; None if it has none.
    """

    name: str
    read: Read
    read_landmarks: Read | None = None


@contextmanager
def open_source(path: Path) -> Iterator[list[Entry]]:
    """Open a folder or a zip.

    Yields:
        Its files in the order of their names. Landmark files stand beside
        their images, not in the list; hidden files are left out.

    Raises:
        DatasetError: It is neither, or a zip that must not be read.
    """
    if path.is_dir():
        yield _paired(_folder_files(path.resolve()))
        return
    with zips.open_zip(path) as archive:
        yield _paired(_zip_files(archive))


def _paired(files: list[tuple[str, Read]]) -> list[Entry]:
    """Put landmark files beside their images."""
    named = sorted((file for file in files if not _is_litter(file[0])), key=lambda file: file[0])
    companions = {name: read for name, read in named if name.endswith(landmarks.SUFFIX)}
    names = {name for name, _ in named}
    return [
        Entry(name, read, companions.get(name + landmarks.SUFFIX))
        for name, read in named
        if name not in companions or name.removesuffix(landmarks.SUFFIX) not in names
    ]


def _is_litter(name: str) -> bool:
    # ".." is no hidden file, but a path out of a zip, which is rejected by that name.
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part in LITTER for part in parts)


def _folder_files(root: Path) -> list[tuple[str, Read]]:
    files: list[tuple[str, Read]] = []

    def note_unreadable(err: OSError) -> None:
        name = Path(str(err.filename)).relative_to(root).as_posix()
        files.append((name, partial(_refuse, Reason.UNREADABLE, err.strerror or str(err))))

    for folder, folders, names in os.walk(root, onerror=note_unreadable):
        here = Path(folder)
        links = [
            name for name in folders if (here / name).is_symlink()
        ]  # os.walk lists but does not follow them
        for name in [*names, *links]:
            path = here / name
            files.append((path.relative_to(root).as_posix(), partial(_read_path, root, path)))
    return files


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise Refused(reason, detail)


def _read_path(root: Path, path: Path) -> bytes:
    try:
        if path.is_symlink():
            path = _followed(root, path)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise Refused(Reason.UNSUPPORTED, "not a regular file")
        with path.open("rb") as file:
            return _read_all(file, path.name)
    except OSError as err:
        raise Refused(Reason.UNREADABLE, err.strerror or str(err)) from err


def _followed(root: Path, link: Path) -> Path:
    """Return the target of a link, which must lie within the source."""
    try:
        target = link.resolve(strict=True)
    except RuntimeError as err:  # Python 3.11 and 3.12, for a link that leads to itself
        raise Refused(Reason.LINK, "leads nowhere") from err
    if not target.is_relative_to(root):
        raise Refused(Reason.LINK, "leads out of the folder")
    if target.is_dir():
        raise Refused(Reason.LINK, "leads to a folder")
    return target


def _zip_files(archive: zipfile.ZipFile) -> list[tuple[str, Read]]:
    lock = threading.Lock()  # an archive has one file position
    return [
        (info.filename, partial(_read_zipped, archive, info, lock))
        for info in archive.infolist()
        if not info.is_dir()
    ]


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: threading.Lock) -> bytes:
    zips.check_entry(info)
    try:
        with lock, archive.open(info) as file:
            return _read_all(file, info.filename)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as err:
        raise Refused(Reason.UNREADABLE, f"damaged in the zip: {err}") from err


def _read_all(file: IO[bytes], name: str) -> bytes:
    """Read an image or a landmark file to its end.

    Counting, for the size that a zip's directory declares may be a lie; and no further than the
    first bytes of anything else, be it a film or zeros that were a gigabyte once.
    """
    is_image = PurePosixPath(name).suffix.lower() != landmarks.SUFFIX
    limit = MAX_FILE_BYTES if is_image else landmarks.LONGEST_FILE
    content = bytearray(file.read(CHUNK_BYTES))
    if is_image and recognize(content) is None:
        _refuse_content(name)
    while chunk := file.read(CHUNK_BYTES):
        content += chunk
        if len(content) > limit:
            break
    if len(content) > limit:
        raise Refused(Reason.TOO_LARGE, f"over {limit} bytes")
    return bytes(content)


def _refuse_content(name: str) -> NoReturn:
    """Tell damaged images, which should worry somebody, from files that never were images."""
    is_damaged = PurePosixPath(name).suffix.lower() in SUFFIXES
    reason = Reason.UNREADABLE if is_damaged else Reason.UNSUPPORTED
    raise Refused(reason, f"its content is none of {NAMES}")
