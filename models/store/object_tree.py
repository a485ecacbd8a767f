"""A tree in an object store, through fsspec: whole objects, no rename, no append."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from models.errors import BadEntry, StoreError
from models.store.conditional import attempts, conditions_of
from models.store.object_lock import ObjectLock
from models.store.problems import Problems
from models.store.tree import Tree, checked, reported, with_lines

PATIENCE_S = 60.0  # how long to try a conditional write that others keep getting ahead of

_REMEDY = "Use a store with conditional writes, such as Amazon S3, MinIO, Ceph or Cloudflare R2."


class ObjectTree(Tree):
    """Objects under a prefix of an fsspec file system (`s3://`, `memory://`, ...).

    Object stores replace objects atomically. `create` and `update` rely on conditional writes,
    which `check` tries, since some servers accept the headers and ignore them.

    Args:
        fs: The fsspec file system.
        prefix: Bucket and prefix, as `fs` writes paths.
        url: What the user wrote.
    """

    is_local: ClassVar[bool] = False

    def __init__(self, fs: Any, prefix: str, url: str) -> None:
        self.url = url
        self.problems = Problems()
        self._fs = fs
        self._conditions = conditions_of(fs)
        self._prefix = prefix.rstrip("/")
        self._guard = threading.Lock()
        self._downloads: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def check(self) -> None:
        probe = f"probe-{uuid4().hex}"
        try:
            self._check_conditions(probe)
            self.compare(probe, b"second")
            self.delete(probe)
        except (StoreError, FileNotFoundError) as err:
            raise StoreError(
                f"The store {self.url} cannot be used: {err}", getattr(err, "remedy", "")
            ) from err

    def _check_conditions(self, probe: str) -> None:
        """Raise StoreError unless only the expected object is replaced."""
        place, put = self._at(probe), self._conditions.put
        with reported("write", probe):
            if not put(place, b"first", None):
                raise StoreError(f"{probe} could not be created.")
            first = self._conditions.tag(place)
            if put(place, b"other", None):
                raise StoreError("It ignores If-None-Match: two jobs could get one lease.", _REMEDY)
            if first is None or not put(place, b"second", first):
                raise StoreError("It refuses If-Match with a current ETag.", _REMEDY)
            if put(place, b"other", first):
                raise StoreError("It ignores If-Match: changes of aliases could be lost.", _REMEDY)

    def read(self, path: str) -> bytes:
        with reported("read", path, absent=True):
            return bytes(self._fs.cat_file(self._at(path)))

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes | BadEntry]:
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
        with reported("write", path):
            for _ in attempts(PATIENCE_S):
                if self._conditions.put(self._at(path), data, None):
                    return True
                if self._conditions.tag(self._at(path)) is not None:
                    return False
        raise self._contended(path)

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> bytes:
        sent: bytes | None = None
        with reported("write", path):
            for _ in attempts(PATIENCE_S):
                # The tag first: what is read then is what it says, or the write fails.
                tag = self._conditions.tag(self._at(path))
                before = None if tag is None else self._content(path)
                # Equal to what was sent: it was written, only the answer got lost.
                if before is not None and before == sent:
                    return before
                sent = change(before)
                if sent == before or self._conditions.put(self._at(path), sent, tag):
                    return sent
        raise self._contended(path)

    def append(self, path: str, data: bytes) -> None:
        self.update(path, lambda before: with_lines(before, data))

    def put(self, path: str, local: Path) -> None:
        with reported("write", path):
            self._fs.put_file(str(local), self._at(path))
            local.unlink()

    def local(self, path: str, cache: Path | None = None) -> Path:
        if cache is None:
            raise StoreError(f"{path} lies in {self.url}.", "A cache folder is needed to open it.")
        with self._alone(path), reported("fetch", path, absent=True):
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

    def move(self, path: str, target: str) -> None:
        with reported("move", path):
            self._fs.mv(self._at(path), self._at(target), recursive=True)

    def free_bytes(self) -> int | None:
        return None

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        lock = ObjectLock(self._conditions, self._fs, self._at(f"locks/{path}"))
        with reported("lock", path):
            lock.acquire()
        try:
            yield
        finally:
            with reported("unlock", path):
                lock.release()

    @contextmanager
    def _alone(self, path: str) -> Iterator[None]:
        """Exclude other threads of this process that download the same file."""
        with self._guard:
            lock = self._downloads[path]
        with lock:
            yield

    def _content(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except FileNotFoundError:
            return None

    def _contended(self, path: str) -> StoreError:
        return StoreError(
            f"Could not write {path}: others kept changing it for {PATIENCE_S:g} s.",
            "Try again.",
        )

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
