"""Films of training jobs: their sample sheets, always of the same seeds, one after the other."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from app.problems.errors import Busy
from models.errors import NotFound
from models.images.animations import WEBP_ENCODER, film
from models.store import Store

MOST_FRAMES = 60
FRAME_MS = 400
KEPT_BYTES = 32 * 2**20
MOST_AT_ONCE = 4  # the one being made and those that wait for it, each in a thread of the pool


class Films:
    """Makes films, one at a time, and keeps the newest in memory. Blocks; for threads.

    Args:
        store: Holds the sample sheets.
        max_pixels: Maximum size of a film, all frames together; larger sheets are shrunk.
    """

    def __init__(self, store: Store, max_pixels: int) -> None:
        self._store, self._max_pixels = store, max_pixels
        self._making = threading.Lock()  # seconds of a core each: never several at once
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._memory = threading.Lock()  # of `_kept`; held for moments only
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def sheets(self, job: str) -> list[bytes]:
        """Return the sheets of a film, oldest first: all, or as many, evenly spaced.

        Raises:
            NotFound, Gone: There is no such job, or it has no sheets yet.
        """
        labels = self._store.jobs.get(job).samples
        if not labels:
            raise NotFound("sample sheet of job", job)
        count = min(len(labels), MOST_FRAMES)
        places = np.linspace(0, len(labels) - 1, count).round().astype(int).tolist()
        return [self._store.jobs.sample(job, labels[place]) for place in places]

    def tag(self, sheets: Sequence[bytes]) -> str:
        """Return the entity tag of a film, which is known before it is made."""
        whole = hashlib.sha256(f"{WEBP_ENCODER}, {FRAME_MS}, {self._max_pixels}".encode())
        for sheet in sheets:
            whole.update(hashlib.sha256(sheet).digest())
        return f'"{whole.hexdigest()[:32]}"'

    def film(self, sheets: Sequence[bytes]) -> bytes:
        """Return a film as animated WebP.

        Raises:
            Busy: It is not in memory, and too many films wait to be made.
        """
        tag = self.tag(sheets)
        if kept := self._recall(tag):
            return kept
        if not self._places.acquire(blocking=False):
            raise Busy("Too many films are waiting to be made.")
        try:
            with self._making:
                return self._recall(tag) or self._make(tag, sheets)
        finally:
            self._places.release()

    def _recall(self, tag: str) -> bytes | None:
        with self._memory:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)

    def _make(self, tag: str, sheets: Sequence[bytes]) -> bytes:
        made = film(_frames(sheets, self._max_pixels), FRAME_MS)
        with self._memory:
            self._kept[tag] = made
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return made


def _frames(sheets: Sequence[bytes], max_pixels: int) -> list[Image.Image]:
    """Return the sheets as images of one size, within the limit together."""
    first = Image.open(BytesIO(sheets[0]))
    shrunk = min(1.0, (max_pixels / (len(sheets) * first.width * first.height)) ** 0.5)
    size = (max(1, int(first.width * shrunk)), max(1, int(first.height * shrunk)))
    images = (Image.open(BytesIO(sheet)).convert("RGB") for sheet in sheets)
    return [one if one.size == size else one.resize(size, Image.Resampling.BOX) for one in images]
