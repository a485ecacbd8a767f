"""A tree in a local folder, with atomic, locked and durable writes."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from models.errors import BadEntry, StoreError
from models.store.problems import Problems
from models.store.tree import Tree, checked, reported

STALE_S = 3600.0  # a temporary file untouched for this long belongs to a dead process

_HIDDEN = "."  # temporary and lock files; never listed


class LocalTree(Tree):
    """A local folder, shared by any number of processes of one machine.

    Every write goes to a temporary file, is synced, and renamed into place; then the folder is
    synced too, so that the rename survives a power cut.
    """

    is_local: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)
        self.problems = Problems()

    def check(self) -> None:
        for folder in (self.root, *self.root.parents):
            if folder.exists() and not folder.is_dir():
                raise StoreError(
                    f"The store {self.url} is impossible: {folder} is not a folder.",
                    "Choose a folder.",
                )
        with reported("write to the store", self.url):
            _make_folder(self.root)
            _sweep([self.root, *(p for p in self.root.iterdir() if p.is_dir())])
        probe = f".probe-{uuid4().hex}"
        try:
            self.create(probe, b"cattery")
            self.compare(probe, b"cattery")
        except (StoreError, FileNotFoundError) as err:
            raise StoreError(f"The store {self.url} cannot be written: {err}") from err
        finally:
            self.delete(probe)

    def read(self, path: str) -> bytes:
        with reported("read", path, absent=True):
            return self._at(path).read_bytes()

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes | BadEntry]:
        found: dict[str, bytes | BadEntry] = {}
        for path in paths:
            try:
                found[path] = self.read(path)
            except FileNotFoundError:
                continue
            except BadEntry as err:
                found[path] = err
        return found

    def write(self, path: str, data: bytes) -> None:
        self._place(path, lambda temporary: _write(temporary, data), Path.replace)

    def create(self, path: str, data: bytes) -> bool:
        won = False

        def link(temporary: Path, target: Path) -> None:
            # A hard link, unlike a rename, never replaces; and unlike O_EXCL it never shows
            # the file before its content is there.
            nonlocal won
            with suppress(FileExistsError):
                target.hardlink_to(temporary)
                won = True

        self._place(path, lambda temporary: _write(temporary, data), link)
        return won

    def put(self, path: str, local: Path) -> None:
        self._place(path, lambda temporary: _move(local, temporary), Path.replace)

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> bytes:
        with self.lock(path):
            try:
                before = self.read(path)
            except FileNotFoundError:
                before = None
            after = change(before)
            if after != before:
                self.write(path, after)
            return after

    def append(self, path: str, data: bytes) -> None:
        with reported("append to", path):
            target = self._at(path)
            _make_folder(target.parent)
            with target.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # A crash may have torn the last line, which must not swallow the next one.
                if (
                    file.seek(0, os.SEEK_END)
                    and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
                ):
                    data = b"\n" + data
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def local(self, path: str, cache: Path | None = None) -> Path:  # noqa: ARG002 - is local
        with reported("read", path, absent=True):
            target = self._at(path)
            target.stat()
            return target

    def exists(self, path: str) -> bool:
        return self._stat(path) is not None

    def stamp(self, path: str) -> tuple[int, int, int] | None:
        stat = self._stat(path)
        return None if stat is None else (stat.st_ino, stat.st_mtime_ns, stat.st_size)

    def names(self, folder: str) -> list[str]:
        with reported("list", folder):
            try:
                found = os.listdir(self._at(folder))  # noqa: PTH208 - names are all we need
            except FileNotFoundError:
                return []
        return sorted(name for name in found if not name.startswith(_HIDDEN))

    def delete(self, path: str) -> None:
        with reported("delete", path):
            target, aside = self._at(path), self._temporary(path)
            try:
                # Renamed first: readers see all of a folder or nothing, however long rmtree takes.
                target.rename(aside)
            except FileNotFoundError:
                return
            _sync_folder(target.parent)
            _remove(aside)

    def move(self, path: str, target: str) -> None:
        with reported("move", path):
            source, place = self._at(path), self._at(target)
            _make_folder(place.parent)
            source.rename(place)
            _sync_folder(source.parent)
            _sync_folder(place.parent)

    def free_bytes(self) -> int | None:
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        with reported("get the free space of", self.url):
            return shutil.disk_usage(folder).free

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        place = self._at(path)
        # A lock file of its own: the locked folder may not exist yet, or be deleted meanwhile.
        file = place.parent / f"{_HIDDEN}locks" / f"{place.name}.lock"
        with reported("lock", path):
            _make_folder(file.parent)
            handle = file.open("ab")
        with handle:
            with reported("lock", path):
                fcntl.flock(
                    handle, fcntl.LOCK_EX
                )  # released on close, also when the process is killed
            yield

    def _at(self, path: str) -> Path:
        return self.root / checked(path)

    def _stat(self, path: str) -> os.stat_result | None:
        with reported("check", path):
            try:
                return self._at(path).stat()
            except FileNotFoundError:
                return None

    def _place(
        self, path: str, fill: Callable[[Path], None], settle: Callable[[Path, Path], object]
    ) -> None:
        """Fill a temporary file, put it in place, and sync the folder."""
        with reported("write", path):
            target, temporary = self._at(path), self._temporary(path)
            try:
                fill(temporary)
                _make_folder(target.parent)
                settle(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def _temporary(self, path: str) -> Path:
        """Return an unused path on the same disk as `path`."""
        # Users may link top-level folders to other disks, across which no rename is possible.
        top = path.split("/")[0] if "/" in path else ""
        folder = self.root / top / f"{_HIDDEN}tmp"
        _make_folder(folder)
        return folder / uuid4().hex


def _write(file: Path, data: bytes) -> None:
    with file.open("xb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _move(source: Path, target: Path) -> None:
    """Rename where possible, else copy; then sync."""
    try:
        source.replace(target)
    except OSError as err:
        if err.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)
        source.unlink()
    with target.open("rb") as handle:
        os.fsync(handle.fileno())


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, syncing each entry in its parent."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sweep(folders: Sequence[Path]) -> None:
    """Delete the temporary files of processes that died."""
    for folder in folders:
        for leftover in (folder / f"{_HIDDEN}tmp").glob("*"):
            if time.time() - leftover.lstat().st_mtime > STALE_S:
                _remove(leftover)
