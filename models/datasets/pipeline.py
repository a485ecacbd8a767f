"""Decodes and crops entries in a few threads, in order."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.cores import usable_cores
from models.datasets.decoding import SIZES_PX, Cut, cut_faces, cut_square
from models.datasets.duplicates import Look, look_of
from models.datasets.landmarks import Face, read_face
from models.datasets.rejections import Reason, Refused, nearest_size, thumbnail_of
from models.datasets.sources import Entry

MOST_THREADS = 8
HELDOUT_SHARE = 0.05

# Gray levels of 255 by which pixels deviate from their mean: blank pages and frames have less.
# The least of 13,322 photographs of cats, of a black one at night, is 7.
LEAST_DEVIATION = 3

FindFaces = Callable[[Image.Image], list[Face]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image ready to be packed.

    Attributes:
        content: SHA-256 of the file.
        identity: The same including landmarks or the face cut out: all that rows depend on.
        look: What it looks like.
        reach_px: Width of the square in the file.
        rows: uint8 (H, W, 3) by resolution.
        is_aligned: Whether it was cropped by landmarks.
    """

    content: bytes
    identity: bytes
    look: Look
    reach_px: int
    rows: dict[int, NDArray[np.uint8]]
    is_aligned: bool

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """A small picture of it, uint8 (THUMBNAIL_PX, THUMBNAIL_PX, 3)."""
        return thumbnail_of(self.rows[nearest_size(self.rows)])

    @property
    def is_heldout(self) -> bool:
        """Whether it is kept out of all training."""
        # By content: the same images are held out in every import, whatever else is in it.
        return int.from_bytes(self.content[:8], "big") < HELDOUT_SHARE * 2**64


def prepare_all(
    entries: Iterable[Entry], find: FindFaces | None = None
) -> Iterator[tuple[Entry, list[Prepared] | Refused]]:
    """Prepare images in a few threads, in bounded memory.

    Args:
        entries: The files.
        find: Finds faces to cut out of images without landmarks; None for their center.

    Yields:
        Each entry, in order, with its images or why it was refused.
    """
    threads = min(MOST_THREADS, usable_cores())
    large = threading.Lock()
    waiting: deque[tuple[Entry, Future[list[Prepared] | Refused]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="import")
    try:
        for entry in entries:
            # Bounded: results wait for the slowest before them, and each holds decoded images.
            waiting.append((entry, pool.submit(prepare, entry, large, find)))
            if len(waiting) > 2 * threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepare(
    entry: Entry, large: AbstractContextManager[object], find: FindFaces | None = None
) -> list[Prepared] | Refused:
    """Read, decode, crop and resize one file; `large` is held while a large one is in memory."""
    try:
        raw = entry.read()
        marks = _landmarks(entry)
        content = hashlib.sha256(raw).digest()
        if find is None or marks is not None:
            face = read_face(marks) if marks is not None else None
            identity = content if marks is None else hashlib.sha256(content + marks).digest()
            cut = cut_square(raw, face, large)
            return [_prepared(cut, content, identity, is_aligned=marks is not None)]
        return [_prepared(cut, content, None) for cut in cut_faces(raw, find, large)]
    except Refused as refused:
        # A new one: that which was raised keeps file and image in memory, by its traceback and
        # that of its cause.
        return Refused(refused.reason, refused.detail, refused.thumbnail)


def _prepared(
    cut: Cut, content: bytes, identity: bytes | None, *, is_aligned: bool = False
) -> Prepared:
    rows = {size_px: np.asarray(cut.at(size_px)) for size_px in cut.sizes()}
    smallest = rows[SIZES_PX[0]]
    deviation = float(smallest.std((0, 1)).max())
    if deviation < LEAST_DEVIATION:
        detail = f"its pixels deviate by {deviation:.1f} from their mean, under {LEAST_DEVIATION}"
        raise Refused(Reason.FLAT, detail, thumbnail_of(rows[nearest_size(rows)]))
    return Prepared(
        content=content,
        identity=identity or hashlib.sha256(content + smallest.tobytes()).digest(),
        look=look_of(smallest),
        reach_px=cut.reach_px,
        rows=rows,
        is_aligned=is_aligned,
    )


def _landmarks(entry: Entry) -> bytes | None:
    if entry.read_landmarks is None:
        return None
    try:
        return entry.read_landmarks()
    except Refused as err:
        raise Refused(Reason.LANDMARKS, f"its .cat file: {err.detail}") from err
