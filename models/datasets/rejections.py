"""Why images were rejected, and the list of those that were."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.store.records import Json

LISTED_REJECTIONS = 100  # in a dataset's record; the others are only counted
THUMBNAILS = 16  # for each reason
THUMBNAIL_PX = 64
LONGEST_NAME = 200  # characters of a file's name in a record


class Reason(StrEnum):
    """Why an image was rejected."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    FLAT = "flat"
    NO_FACE = "no face"
    LANDMARKS = "damaged landmarks"
    LINK = "link"
    NAME = "unsafe name"


class Refused(Exception):  # caught within this package, so not part of the error tree
    """One image is rejected; the import goes on.

    Args:
        reason: By which rejections are counted.
        detail: What exactly was wrong, with the value.
        thumbnail: uint8 (THUMBNAIL_PX, THUMBNAIL_PX, 3), if the image could be decoded.
    """

    def __init__(
        self, reason: Reason, detail: str, thumbnail: NDArray[np.uint8] | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.thumbnail = thumbnail


@dataclass
class Ledger:
    """Counts rejections by reason and lists the first of them, those of images with a picture."""

    counts: Counter[str] = field(default_factory=Counter)
    first: list[Json] = field(default_factory=list)
    thumbnails: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    pictured: dict[str, list[str]] = field(default_factory=dict)

    def enter(self, file: str, refused: Refused) -> None:
        """Add one rejected file."""
        self.counts[refused.reason.value] += 1
        self._picture(file, refused)
        if len(self.first) < LISTED_REJECTIONS:
            self.first.append(
                {
                    "file": printable(file),
                    "reason": refused.reason.value,
                    "detail": printable(refused.detail),
                }
            )

    def _picture(self, file: str, refused: Refused) -> None:
        reason, pictures = refused.reason.value, self.thumbnails
        if refused.thumbnail is not None and len(pictures.get(reason, ())) < THUMBNAILS:
            pictures.setdefault(reason, []).append(refused.thumbnail)
            self.pictured.setdefault(reason, []).append(printable(file))


def nearest_size(sizes_px: Iterable[int]) -> int:
    """Return the size that makes the best thumbnail."""
    return min(sizes_px, key=lambda px: abs(px - THUMBNAIL_PX))


def thumbnail_of(row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a square image, uint8 (H, W, 3), as a thumbnail."""
    return np.asarray(Image.fromarray(row).resize((THUMBNAIL_PX, THUMBNAIL_PX)))


def printable(text: str) -> str:
    """Return text that any JSON file can hold: file names need not be valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[-LONGEST_NAME:]
