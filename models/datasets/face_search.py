"""Finds the cats in ordinary photographs, framed as the aligned datasets frame them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.landmarks import EYES_AT, Face
from models.images.cat_faces import Box, CatFaceDetector

# Photographs are scaled down to this before the search, never up. More pixels find smaller
# faces, but take longer and show more of what only looks like a face: see docs/results.md.
SEARCHED_PX = 800
MARGIN_PX = 24

# A find is searched for again in its own crop, where a real face fills the frame.
CONFIRMED_PX = 96
CONFIRMED_MARGIN_PX = CONFIRMED_PX // 4
CONTEXT = 1 / 8  # of the face's width, on each side

# How the cascade's box lies in an aligned crop, by the median over 724 crops of CAT and AFHQ
# of 128 px and more: as fractions of the crop's width (`benchmarks.face_crops --framing 800`).
BOX_SIDE = 0.979
BOX_CENTER = (0.500, 0.505)


class FaceSearch:
    """Finds faces to crop; any thread may use it.

    Raises:
        FacesUnavailable: OpenCV, or the cascade within it, is not installed.
    """

    def __init__(self) -> None:
        self._detector = CatFaceDetector()

    def __call__(self, image: Image.Image) -> list[Face]:
        """Return the faces of an upright image of any mode, from left to right."""
        gray = image.convert("L")
        scale = max(1.0, max(gray.size) / SEARCHED_PX)
        if scale > 1:
            size = (max(1, round(gray.width / scale)), max(1, round(gray.height / scale)))
            gray = gray.resize(size, Image.Resampling.BOX)
        framed = np.pad(np.asarray(gray), MARGIN_PX, mode="edge")
        boxes = [box for box in self._detector.find(framed) if self._is_confirmed(framed, box)]
        return [
            face_of(
                Box(
                    (box.left - MARGIN_PX) * scale,
                    (box.top - MARGIN_PX) * scale,
                    box.side * scale,
                )
            )
            for box in sorted(_outermost(boxes))
        ]

    def _is_confirmed(self, framed: NDArray[np.uint8], box: Box) -> bool:
        context, (height, width) = CONTEXT * box.side, framed.shape
        around = (
            max(0, box.left - context),
            max(0, box.top - context),
            min(width, box.left + box.side + context),
            min(height, box.top + box.side + context),
        )
        size = (CONFIRMED_PX, CONFIRMED_PX)
        crop = Image.fromarray(framed).resize(size, Image.Resampling.BICUBIC, around)
        alone = np.pad(np.asarray(crop), CONFIRMED_MARGIN_PX, mode="edge")
        return len(self._detector.find(alone)) > 0


def _outermost(boxes: list[Box]) -> list[Box]:
    """Leave out what lies in a larger box: eyes and nose look like a small face at times."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.side):
        x, y = box.left + box.side / 2, box.top + box.side / 2
        if not any(0 < x - k.left < k.side and 0 < y - k.top < k.side for k in kept):
            kept.append(box)
    return kept


def face_of(box: Box) -> Face:
    """Return the face, eyes level, that a box of the cascade frames."""
    side = box.side / BOX_SIDE
    left = box.left + box.side / 2 - BOX_CENTER[0] * side
    top = box.top + box.side / 2 - BOX_CENTER[1] * side
    return Face(x=left + EYES_AT[0] * side, y=top + EYES_AT[1] * side, angle=0.0, side=side)
