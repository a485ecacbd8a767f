"""Counts cat faces, as a check on the anatomy that feature networks miss.

Feature networks see fur, eyes and noses but do not count them: a generator of heads with five
eyes can have a better KID than one of cats. OpenCV's cascade for cat faces requires each part in
its place. It separates malformed faces from cats; it does not rank cats.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images.cat_faces import CatFaceDetector
from models.metrics.protocols import SINGLE_FACE
from models.store.records import Json

SEEN_PX = 96  # images are scaled to this: larger ones only add false positives
MARGIN_PX = SEEN_PX // 4  # of repeated border: the cascade needs context around a face

# Of real images; below it the dataset is not of frontal cats, and the count says nothing.
MEANINGFUL_SHARE = 0.5
# Of the real images' share; 256 images leave an error of 0.02 to 0.03.
ENOUGH = 0.9


class FaceCounter:
    """Counts the cat faces of single images.

    Raises:
        FacesUnavailable: OpenCV, or the cascade within it, is not installed.
    """

    def __init__(self) -> None:
        self._detector = CatFaceDetector()

    def count(self, image: NDArray[np.uint8]) -> int:
        """Return the number of faces in an image, (H, W, 3) uint8, about square."""
        gray = Image.fromarray(image).convert("L")
        seen = np.asarray(gray.resize((SEEN_PX, SEEN_PX), Image.Resampling.BICUBIC))
        return len(self._detector.find(np.pad(seen, MARGIN_PX, mode="edge")))

    def single_share(self, images: Iterable[NDArray[np.uint8]]) -> float:
        """Return the share of images with exactly one face, 0 to 1; NaN of none."""
        counts = [self.count(image) for image in images]
        return sum(count == 1 for count in counts) / len(counts) if counts else float("nan")


@dataclass
class FaceTally:
    """The count of single faces over the first images of an evaluation.

    Attributes:
        counter: Counts.
        expected: The share of real images, 0 to 1.
        wanted: Images to count in; later ones are ignored.
        counts: Faces of each image so far.
    """

    counter: FaceCounter
    expected: float
    wanted: int
    counts: list[int] = field(default_factory=list)

    def add(self, images: NDArray[np.uint8]) -> None:
        """Count the faces of some more images, (N, H, W, 3)."""
        missing = self.wanted - len(self.counts)
        self.counts += map(self.counter.count, images[:missing])

    def row(self) -> Json:
        """Return the result as a card's row, without its protocol."""
        value = sum(count == 1 for count in self.counts) / len(self.counts)
        details = {"expected": round(self.expected, 4), "images": len(self.counts)}
        return {"name": SINGLE_FACE, "value": round(value, 4), "details": details}


def has_enough_faces(row: Mapping[str, Any]) -> bool:
    """Whether a result of `SINGLE_FACE` is close enough to what real images have."""
    return bool(row["value"] >= ENOUGH * row["details"]["expected"])
