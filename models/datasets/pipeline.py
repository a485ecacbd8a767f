"""Decodes and crops entries in a few threads, in order."""

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.cores import usable_cores
from models.datasets.decoding import cut_square
from models.datasets.duplicates import difference_hash
from models.datasets.landmarks import Face, read_face
from models.datasets.rejections import THUMBNAIL_PX, Reason, Refused
from models.datasets.sources import Entry

MOST_THREADS = 8
HELDOUT_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image ready to be packed.

    Attributes:
        content: SHA-256 of the file.
        identity: The same including landmarks, if any: all that the rows depend on.
        look: `difference_hash` of the square.
        rows: uint8 (H, W, 3) by resolution.
        is_aligned: Whether it was cropped by landmarks.
    """

    content: bytes
    identity: bytes
    look: int
    rows: dict[int, NDArray[np.uint8]]
    is_aligned: bool

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """A small picture of it, uint8 (THUMBNAIL_PX, THUMBNAIL_PX, 3)."""
        size_px = min(self.rows, key=lambda px: abs(px - THUMBNAIL_PX))
        return np.asarray(Image.fromarray(self.rows[size_px]).resize((THUMBNAIL_PX,) * 2))

    @property
    def is_heldout(self) -> bool:
        """Whether it is kept out of all training."""
        # By content: the same images are held out in every import, whatever else is in it.
        return int.from_bytes(self.content[:8], "big") < HELDOUT_SHARE * 2**64


def prepare_all(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Prepared | Refused]]:
    """Prepare images in a few threads, in bounded memory.

    Yields:
        Each entry, in order, with its image or why it was refused.
    """
    threads = min(MOST_THREADS, usable_cores())
    large = threading.Lock()
    waiting: deque[tuple[Entry, Future[Prepared | Refused]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="import")
    try:
        for entry in entries:
            # Bounded: results wait for the slowest before them, and each holds decoded images.
            waiting.append((entry, pool.submit(prepare, entry, large)))
            if len(waiting) > 2 * threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepare(entry: Entry, large: AbstractContextManager[object]) -> Prepared | Refused:
    """Read, decode, crop and resize one image; `large` is held while a large one is in memory."""
    try:
        raw = entry.read()
        marks = _landmarks(entry)
        face: Face | None = read_face(marks) if marks is not None else None
        cut = cut_square(raw, face, large)
    except Refused as refused:
        return refused.with_traceback(None)  # the traceback would keep the file in memory
    content = hashlib.sha256(raw).digest()
    return Prepared(
        content=content,
        identity=content if marks is None else hashlib.sha256(content + marks).digest(),
        look=difference_hash(cut.image),
        rows={size_px: np.asarray(cut.at(size_px)) for size_px in cut.sizes()},
        is_aligned=marks is not None,
    )


def _landmarks(entry: Entry) -> bytes | None:
    if entry.read_landmarks is None:
        return None
    try:
        return entry.read_landmarks()
    except Refused as err:
        raise Refused(Reason.LANDMARKS, f"its .cat file: {err.detail}") from err
