"""Duplicate images: the same content, or nearly the same appearance."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.rejections import Reason, Refused

NEAR_BITS = 3  # 64-bit difference hashes this close are of one image, saved twice


def difference_hash(image: Image.Image) -> int:
    """Return 64 bits: for each of 8x8 cells, whether it is brighter than its right neighbor."""
    cells = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    bits = np.packbits(cells[:, :-1] > cells[:, 1:])
    return int.from_bytes(bits.tobytes(), "big")


class Seen:
    """Remembers accepted images and rejects duplicates of them."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._contents: dict[bytes, str] = {}
        self._hashes: NDArray[np.uint64] = np.empty(1024, np.uint64)

    def check(self, content: bytes, look: int) -> None:
        """Reject an image that resembles one remembered.

        Args:
            content: SHA-256 of the file.
            look: `difference_hash` of the square.

        Raises:
            Refused: It is a duplicate; the detail names the one kept.
        """
        if (first := self._contents.get(content)) is not None:
            raise Refused(Reason.DUPLICATE, f"the same file as {first}")
        if not self._names:
            return
        distances = np.bitwise_count(self._hashes[: len(self._names)] ^ np.uint64(look))
        nearest = int(distances.argmin())
        if distances[nearest] <= NEAR_BITS:
            detail = f"looks like {self._names[nearest]} ({distances[nearest]} of 64 bits differ)"
            raise Refused(Reason.DUPLICATE, detail)

    def remember(self, name: str, content: bytes, look: int) -> None:
        """Add an accepted image."""
        if len(self._names) == len(self._hashes):
            # Doubled when full: appending stays cheap, and a comparison is one vector operation.
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)])
        self._hashes[len(self._names)] = look
        self._names.append(name)
        self._contents[content] = name
