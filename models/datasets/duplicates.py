"""Duplicate images: nearly the same appearance, colors included."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# 64-bit difference hashes this close are suspects. Of a photograph saved again at 64 px and
# quality 30, up to 6 bits change.
NEAR_BITS = 8

THUMBNAIL_PX = 16

# Limits in gray levels of 255, by 300 photographs saved again at quality 30 to 90, or reduced
# to 40 to 80 px: their thumbnails deviated from those of the originals by at most 15 beyond
# the contrast around, and their mean color by at most 2. Reports of 7,140 pairs of drawings
# alike but for their colors: 0.1 % are as close.
MOST_DEVIATION = 24
MOST_TINT = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What an image looks like.

    Attributes:
        hash: 64 bits: for each of 8x8 cells, whether it is brighter than its right neighbor.
        thumbnail: uint8 (16, 16, 3).
    """

    hash: int
    thumbnail: NDArray[np.uint8]


def look_of(row: NDArray[np.uint8]) -> Look:
    """Return the look of an image, uint8 (32, 32, 3)."""
    image = Image.fromarray(row)
    cells = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    bits = np.packbits(cells[:, :-1] > cells[:, 1:])
    thumbnail = image.reduce(image.width // THUMBNAIL_PX)
    return Look(int.from_bytes(bits.tobytes(), "big"), np.asarray(thumbnail))


class Seen:
    """Remembers the looks of accepted images, by number."""

    def __init__(self) -> None:
        self._count = 0
        self._is_gone: set[int] = set()
        self._hashes: NDArray[np.uint64] = np.empty(1024, np.uint64)
        self._thumbnails = np.empty((1024, THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8)

    def add(self, look: Look) -> int:
        """Remember an image and return its number."""
        if self._count == len(self._hashes):
            # Doubled when full: adding stays cheap, and a comparison is one vector operation.
            self._hashes = np.concatenate([self._hashes, self._hashes])
            self._thumbnails = np.concatenate([self._thumbnails, self._thumbnails])
        self._hashes[self._count] = look.hash
        self._thumbnails[self._count] = look.thumbnail
        self._count += 1
        return self._count - 1

    def forget(self, number: int) -> None:
        """Forget an image."""
        self._is_gone.add(number)

    def like(self, look: Look) -> list[int]:
        """Return the numbers of the images that are the same picture, saved another way."""
        distances = np.bitwise_count(self._hashes[: self._count] ^ np.uint64(look.hash))
        suspects = np.flatnonzero(distances <= NEAR_BITS)
        if not len(suspects):
            return []
        same = suspects[_are_same(look.thumbnail, self._thumbnails[suspects])]
        return [number for number in same.tolist() if number not in self._is_gone]


def _are_same(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Compare a thumbnail with others, (N, 16, 16, 3): the hash sees neither color nor detail.

    Where there are edges, resizing and compression move levels by part of their contrast; in
    even areas they do not, and only another color does.
    """
    apart = np.abs(others.astype(np.int16) - one)
    excess = apart - np.minimum(_contrast(one[None]), _contrast(others))
    tint = np.abs(others.mean((1, 2)) - one.mean((0, 1))).max(1)
    return (excess.max((1, 2, 3)) <= MOST_DEVIATION) & (tint <= MOST_TINT)


def _contrast(images: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return, for every pixel and channel, the range of levels in the 3x3 pixels around it."""
    size = images.shape[1]
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.int16)
    shifted = [framed[:, y : y + size, x : x + size] for y in range(3) for x in range(3)]
    lowest, highest = shifted[0], shifted[0]
    for levels in shifted[1:]:
        lowest, highest = np.minimum(lowest, levels), np.maximum(highest, levels)
    return highest - lowest
