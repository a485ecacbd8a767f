"""Which images an import keeps: of lookalikes the largest."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.datasets.duplicates import Seen
from models.datasets.packs import Packs, Place
from models.datasets.pipeline import Prepared
from models.datasets.rejections import Ledger, Reason, Refused, nearest_size, thumbnail_of


@dataclass(frozen=True, slots=True)
class Kept:
    """An image that is in the packs.

    Attributes:
        name: Of its file, and which face of it.
        identity: As `Prepared` has it.
        reach_px: Width of its square in its file.
        place: Of its rows in the packs.
    """

    name: str
    identity: bytes
    reach_px: int
    is_aligned: bool
    place: Place


class Selection:
    """Decides on images one by one, writes those kept to packs, and lists the others.

    Args:
        packs: Where images go.
        deduplicate: Whether to keep one of several that look alike.
    """

    def __init__(self, packs: Packs, *, deduplicate: bool) -> None:
        self.ledger = Ledger()
        self.kept: dict[int, Kept] = {}
        self._packs = packs
        self._deduplicate = deduplicate
        self._seen = Seen()
        self._contents: dict[bytes, str] = {}

    @property
    def heldout(self) -> int:
        """How many of those kept are held out from training."""
        return sum(image.place.is_heldout for image in self.kept.values())

    @property
    def is_aligned(self) -> bool:
        """Whether all were cropped by landmarks."""
        return all(image.is_aligned for image in self.kept.values())

    def fingerprint(self) -> str:
        """Return SHA-256 over the sorted hashes of what is kept."""
        identities = sorted(image.identity for image in self.kept.values())
        return hashlib.sha256(b"".join(identities)).hexdigest()

    def take(self, file: str, images: Sequence[Prepared] | Refused) -> None:
        """Decide on one file: its square, the faces cut out of it, or why there are none."""
        if isinstance(images, Refused):
            self.ledger.enter(file, images)
            return
        content = images[0].content
        if self._deduplicate and content in self._contents:
            detail = f"the same file as {self._contents[content]}"
            self.ledger.enter(file, Refused(Reason.DUPLICATE, detail, images[0].thumbnail))
            return
        self._contents[content] = file
        for number, image in enumerate(images, start=1):
            self._decide(file if len(images) == 1 else f"{file}, face {number}", image)

    def _decide(self, name: str, image: Prepared) -> None:
        twins = self._seen.like(image.look) if self._deduplicate else []
        # The first by name would often be a thumbnail of the photograph that follows.
        for twin in twins:
            if self.kept[twin].reach_px >= image.reach_px:
                self._enter_twin(name, image.reach_px, self.kept[twin].name, image.thumbnail)
                return
        for twin in twins:
            smaller = self.kept.pop(twin)
            self._seen.forget(twin)
            thumbnail = self._thumbnail(smaller.place)
            self._packs.drop(smaller.place)
            self._enter_twin(smaller.name, smaller.reach_px, name, thumbnail)
        place = self._packs.append(image.rows, is_heldout=image.is_heldout)
        number = self._seen.add(image.look)
        self.kept[number] = Kept(name, image.identity, image.reach_px, image.is_aligned, place)

    def _thumbnail(self, place: Place) -> NDArray[np.uint8]:
        # From the packs: to remember one of every image kept would take gigabytes.
        return thumbnail_of(self._packs.read(place, nearest_size(place.rows)))

    def _enter_twin(
        self, name: str, reach_px: int, kept: str, thumbnail: NDArray[np.uint8]
    ) -> None:
        detail = f"looks like {kept}, which is kept and no smaller than its {reach_px} pixels"
        self.ledger.enter(name, Refused(Reason.DUPLICATE, detail, thumbnail))
