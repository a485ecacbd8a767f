"""A folder of pictures in zips of a limited size: for machines that take only so much a call.

Each zip's comment says which of how many it is, so that a missing one is noticed. Names
stay as they are, also of a picture that was made smaller: what it is, its content says.
"""

import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from models.datasets.decoding import DAMAGED, FORMATS, MAX_WEBP_PIXELS, SUFFIXES
from models.datasets.zips import open_zip
from models.errors import CatteryError, Conflict, DatasetError, InvalidValue

BEST_QUALITY = 100

_DATE = (1980, 1, 1, 0, 0, 0)  # the same pictures make the same zips
_EACH_BYTES = 30 + 46  # an entry's header and its row in the table of contents, without names
_ALL_BYTES = 22 + 32  # the end of the table of contents, and the comment
_NAME = re.compile(r"part-\d+\.zip")
_COMMENT = re.compile(rb"part (\d+) of (\d+)")

Tell = Callable[[int, int], None]


class ParcelsStopped(CatteryError):
    """Packing was asked to stop; it has left nothing behind."""

    def __init__(self, output: Path) -> None:
        super().__init__(f"{output} was not written.", "Start it again if it is wanted.")


def write_parcels(
    pictures: Path,
    output: Path,
    *,
    limit_bytes: int,
    quality: int | None = None,
    on_progress: Tell | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Write all files of a folder into zips; all of them or none.

    Args:
        pictures: The folder; hidden files are left out.
        output: Folder of the zips; must not exist yet.
        limit_bytes: What no zip exceeds.
        quality: Pictures become WebP of this quality, 1 to 100, where that is smaller;
            None: they stay byte for byte what they are.
        on_progress: Called with files done and files in all.
        should_stop: Asked before every file.

    Returns:
        The zips, in order.

    Raises:
        Conflict: The output exists.
        InvalidValue: The quality is none.
        DatasetError: There are no files, or one is larger than the limit.
        ParcelsStopped: `should_stop` said so.
        OSError: Something cannot be read or written.
    """
    if output.exists():
        raise Conflict(f"{output} exists already.", "Remove it first, or name another folder.")
    if quality is not None and not 1 <= quality <= BEST_QUALITY:
        raise InvalidValue("quality", quality, f"1 to {BEST_QUALITY}")
    files = _files(pictures)
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that died
    part.mkdir(parents=True)
    try:
        writer = _Writer(part, limit_bytes)
        for done, name in enumerate(files, start=1):
            if should_stop():
                raise ParcelsStopped(output)
            raw = (pictures / name).read_bytes()
            writer.add(name, raw if quality is None else smaller(name, raw, quality))
            if on_progress is not None:
                on_progress(done, len(files))
        writer.close()
        part.rename(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return find_parcels(output)


def find_parcels(folder: Path) -> list[Path]:
    """Return the zips that `write_parcels` wrote into a folder, in order; none if it wrote none."""
    found = [path for path in folder.glob("part-*.zip") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("part-")))


def unpack_parcels(parcels: Sequence[Path], target: Path) -> None:
    """Unpack zips into an empty folder, after looking through each as through a stranger's.

    Raises:
        DatasetError: One is missing, damaged, of other parcels, or must not be unpacked.
    """
    for number, parcel in enumerate(parcels, start=1):
        with open_zip(parcel) as archive:
            _check_number(parcel, archive.comment, number, len(parcels))
            for info in archive.infolist():
                if not info.is_dir():
                    _unpack(parcel, archive, info, target)


def smaller(name: str, raw: bytes, quality: int) -> bytes:
    """Return a picture's file as WebP, or as it is if that is no smaller or not possible.

    Only gray and RGB pictures are tried; with anything else it is the importer that knows
    what to make of it.
    """
    if not name.lower().endswith(SUFFIXES):
        return raw
    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            is_plain = image.mode in ("L", "RGB") and "transparency" not in image.info
            if not is_plain or image.width * image.height > MAX_WEBP_PIXELS:
                return raw
            ImageOps.exif_transpose(image).save(out, "WEBP", quality=quality)
    except (*DAMAGED, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return raw
    return min(raw, out.getvalue(), key=len)


class _Writer:
    """Fills one zip after the other."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit = folder, limit_bytes
        self._count, self._size = 0, limit_bytes  # the first file begins the first zip
        self._archive: zipfile.ZipFile | None = None

    def add(self, name: str, content: bytes) -> None:
        size = len(content) + _EACH_BYTES + 2 * len(name.encode())
        if _ALL_BYTES + size > self._limit:
            raise DatasetError(
                "pictures",
                f"{name} ({len(content)} bytes)",
                f"files that fit into a zip of {self._limit} bytes (--limit-mb, --quality)",
            )
        if self._archive is None or self._size + size > self._limit:
            self._begin()
        self._size += size
        if self._archive is not None:
            self._archive.writestr(zipfile.ZipInfo(name, _DATE), content)

    def close(self) -> None:
        """End the last zip, and write into each which of how many it is."""
        self._end()
        for number, path in enumerate(find_parcels(self._folder), start=1):
            with zipfile.ZipFile(path, "a") as archive:
                archive.comment = f"part {number} of {self._count}".encode()

    def _begin(self) -> None:
        self._end()
        self._count += 1
        self._size = _ALL_BYTES
        path = self._folder / f"part-{self._count:02d}.zip"
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)

    def _end(self) -> None:
        if self._archive is not None:
            self._archive.close()


def _check_number(parcel: Path, comment: bytes, number: int, count: int) -> None:
    """Refuse parcels that are not all there, or not all of one kind."""
    told = _COMMENT.fullmatch(comment)
    if told is None:
        raise DatasetError("pictures", parcel.name, "a zip that `cattery zoo parcel` wrote, whole")
    if (int(told[1]), int(told[2])) != (number, count):
        found = f"{parcel.name} (part {int(told[1])} of {int(told[2])})"
        raise DatasetError("pictures", found, f"all parts of one `zoo parcel`; {count} are there")


def _unpack(parcel: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    place = target / info.filename
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, place.open("wb") as file:
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as err:
        allowed = f"a zip whose files can be unpacked ({err})"
        raise DatasetError("pictures", f"{parcel.name}: {info.filename}", allowed) from err


def _files(folder: Path) -> list[str]:
    """Return the files of a folder and those below it, by name with "/"."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    names = [path.as_posix() for path in found if not _is_hidden(path)]
    if not names:
        raise DatasetError("pictures", str(folder), "a folder that holds pictures")
    return sorted(names)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
