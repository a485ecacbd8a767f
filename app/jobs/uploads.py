"""Uploaded zip files, streamed to disk."""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from models.errors import Conflict, DatasetError, StoreError

CHUNK_BYTES = 1 << 20
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # of the first member, or of an empty zip


class Uploads:
    """The folder of uploads, each kept until its job has read it.

    Args:
        folder: For complete uploads.
        unfinished: This process's own folder on the same disk, for incomplete ones.
    """

    def __init__(self, folder: Path, unfinished: Path) -> None:
        self._folder = folder
        self._unfinished = unfinished
        self._names: set[str] = set()

    @contextmanager
    def reserved(self, name: str) -> Iterator[None]:
        """Reserve a dataset's name during its upload.

        Raises:
            Conflict: Another upload has that name.
        """
        if name in self._names:
            raise Conflict(f"A dataset {name!r} is being uploaded.", "Choose another name.")
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)

    async def keep(self, chunks: AsyncIterator[bytes]) -> Path:
        """Write an upload to disk and return its path.

        Raises:
            DatasetError: It is not a zip file; raised at its first bytes if they show that.
            StoreError: It cannot be written.
        """
        path = self._folder / f"{uuid4().hex}.zip"
        part = self._unfinished / f"{path.stem}.part"
        try:
            with part.open("wb") as file:
                await _write(file, chunks)
            if not await asyncio.to_thread(zipfile.is_zipfile, part):
                raise _no_zip("The body is not a complete zip file.")
            part.replace(path)
        except OSError as err:
            raise StoreError(
                f"The upload could not be kept: {err.strerror or err}.",
                "Make room in the data folder, or make it writable.",
            ) from err
        finally:
            part.unlink(missing_ok=True)
        return path


async def _write(file: BinaryIO, chunks: AsyncIterator[bytes]) -> None:
    """Write chunks in a thread."""
    # A megabyte each: a thread for every 64 KiB of the server costs more than the write.
    waiting, is_first = bytearray(), True
    async for chunk in chunks:
        waiting += chunk
        if is_first and len(waiting) >= len(_MAGIC[0]):
            _check_magic(waiting)
            is_first = False
        if len(waiting) >= CHUNK_BYTES:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    if is_first:
        _check_magic(waiting)
    await asyncio.to_thread(file.write, bytes(waiting))


def _check_magic(begin: bytearray) -> None:
    if not begin.startswith(_MAGIC):
        begins = f"begins with {bytes(begin[:8])!r}" if begin else "is empty"
        raise _no_zip(f"The body {begins}.")


def _no_zip(detail: str) -> DatasetError:
    return DatasetError("body", None, "a complete zip file of pictures", detail)
