"""Zip files from clients: streamed to disk, never held in memory."""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from models.errors import Conflict, DatasetError, StoreError

CHUNK_BYTES = 1 << 20
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # a file inside, or an empty zip


class Uploads:
    """The folder that uploads are kept in until their job has read them.

    Args:
        folder: Where whole uploads go, for the import job.
        unfinished: This process's own folder on the same disk, for what is still coming in.
    """

    def __init__(self, folder: Path, unfinished: Path) -> None:
        self._folder = folder
        self._unfinished = unfinished
        self._names: set[str] = set()

    @contextmanager
    def reserved(self, name: str) -> Iterator[None]:
        """Keep a dataset's name while its pictures come in.

        Raises:
            Conflict: Somebody is uploading one of that name.
        """
        if name in self._names:
            raise Conflict(f"A dataset {name!r} is being uploaded.", "Choose another name.")
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)

    async def keep(self, chunks: AsyncIterator[bytes]) -> Path:
        """Write an upload to disk and return its file; nothing stays if that fails.

        Raises:
            DatasetError: It is no zip file; told as soon as its first bytes say so.
            StoreError: It cannot be written.
        """
        path = self._folder / f"{uuid4().hex}.zip"
        part = self._unfinished / f"{path.stem}.part"
        try:
            with part.open("wb") as file:
                await _write(file, chunks)
            if not await asyncio.to_thread(zipfile.is_zipfile, part):
                raise _no_zip("no directory of a zip file at its end")
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
    """Write chunks in large pieces, off the event loop."""
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
        raise _no_zip(f"beginning with {bytes(begin[:8])!r}" if begin else "empty")


def _no_zip(what: str) -> DatasetError:
    return DatasetError("body", what, "a whole zip file of pictures")
