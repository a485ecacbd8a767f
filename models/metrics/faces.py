"""Counts cat faces, as a check on the anatomy that feature networks miss.

Feature networks see fur, eyes and noses but do not count them: a generator of heads with five
eyes can have a better KID than one of cats. OpenCV's cascade for cat faces requires each part in
its place. It separates malformed faces from cats; it does not rank cats.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images.cat_faces import CatFaceDetector

SEEN_PX = 96  # images are scaled to this: larger ones only add false positives
MARGIN_PX = SEEN_PX // 4  # of repeated border: the cascade needs context around a face


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
