"""A tree in an object store, through fsspec: whole objects, no rename, no append."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from models.errors import StoreError
from models.store.tree import Tree, checked, reported


class ObjectTree(Tree):
    """Objects under a prefix of any fsspec file system (`s3://`, `memory://`, ...).

    Object stores replace objects atomically. `create` relies on conditional puts. Locks hold
    within this process only.

    Args:
        fs: The fsspec file system.
        prefix: Bucket and prefix, as `fs` writes paths.
        url: What the user wrote.
    """

    is_local: ClassVar[bool] = False

    def __init__(self, fs: Any, prefix: str, url: str) -> None:
        self.url = url
        self._fs = fs
        self._prefix = prefix.rstrip("/")
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def check(self) -> None:
        probe = f"probe-{uuid4().hex}"
        try:
            self.write(probe, b"cattery")
            self.compare(probe, b"cattery")
            self.delete(probe)
        except (StoreError, FileNotFoundError) as err:
            raise StoreError(f"The store {self.url} cannot be written: {err}") from err

    def read(self, path: str) -> bytes:
        with reported("read", path, absent=True):
            return bytes(self._fs.cat_file(self._at(path)))

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        if not paths:
            return {}
        by_place = {self._at(path): path for path in paths}
        with reported("read", f"{len(paths)} files of {self.url}"):
            # In one call: asynchronous backends fetch them concurrently.
            answers = self._fs.cat(list(by_place), on_error="return")
            found = {by_place[place]: answer for place, answer in answers.items()}
            for answer in found.values():
                if isinstance(answer, Exception) and not isinstance(answer, FileNotFoundError):
                    raise answer
        return {path: raw for path, raw in found.items() if not isinstance(raw, Exception)}

    def write(self, path: str, data: bytes) -> None:
        with reported("write", path):
            self._fs.pipe_file(self._at(path), data)

    def create(self, path: str, data: bytes) -> bool:
        with self.lock(path), reported("write", path):  # some backends check first, then write
            try:
                self._fs.pipe_file(self._at(path), data, mode="create")
            except FileExistsError:
                return False
        return True

    def append(self, path: str, data: bytes) -> None:
        with self.lock(path):
            try:
                before = self.read(path)
            except FileNotFoundError:
                before = b""
            gap = b"" if not before or before.endswith(b"\n") else b"\n"
            self.write(path, before + gap + data)

    def put(self, path: str, local: Path) -> None:
        with reported("write", path):
            self._fs.put_file(str(local), self._at(path))
            local.unlink()

    def local(self, path: str, cache: Path | None = None) -> Path:
        if cache is None:
            raise StoreError(f"{path} lies in {self.url}.", "A cache folder is needed to open it.")
        with self.lock(path), reported("fetch", path, absent=True):
            # The key covers the object's state: a new dataset under an old name gets a new copy.
            key = self._fs.ukey(self._at(path))[:16]
            copy = cache / "store" / f"{key}-{path.rsplit('/', 1)[-1]}"
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                self._download(path, copy)
        return copy

    def exists(self, path: str) -> bool:
        with reported("check", path):
            try:  # not `fs.exists`, which takes every error for "no"
                self._fs.info(self._at(path))
            except FileNotFoundError:
                return False
        return True

    def stamp(self, path: str) -> None:  # noqa: ARG002 - a request of its own is not cheap
        return

    def names(self, folder: str) -> list[str]:
        place = self._at(folder)
        with reported("list", folder):
            try:
                found = self._fs.ls(place, detail=False)
            except FileNotFoundError:
                return []
        names = {str(p).rstrip("/")[len(place) + 1 :] for p in found}
        return sorted(name for name in names if name)

    def delete(self, path: str) -> None:
        with reported("delete", path):
            try:
                self._fs.rm(self._at(path), recursive=True)
            except FileNotFoundError:
                return

    def free_bytes(self) -> int | None:
        return None

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks[path]
        with lock:
            yield

    def _at(self, path: str) -> str:
        return f"{self._prefix}/{checked(path)}"

    def _download(self, path: str, target: Path) -> None:
        # Another process may open the copy at any time: it appears whole or not at all.
        temporary = target.with_name(f".{uuid4().hex}")
        try:
            self._fs.get_file(self._at(path), str(temporary))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
