"""Finds cat faces in a gray image, by OpenCV's cascade.

Source: Viola and Jones 2001, "Rapid object detection using a boosted cascade of simple
features"; the cascade is OpenCV's `haarcascade_frontalcatface_extended.xml`.
"""

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import CatteryError

CASCADE = "haarcascade_frontalcatface_extended.xml"

SCALE_STEP = 1.05
MIN_NEIGHBORS = 3


class FacesUnavailable(CatteryError):
    """The extra `faces` is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Finding faces needs the extra `faces`: OpenCV below 5, whose wheels still hold the "
            "cascade.",
            "Install it where the job runs: pip install 'opencv-python-headless<5'.",
        )


class Box(NamedTuple):
    """A square around a face, in pixels."""

    left: float
    top: float
    side: float


class CatFaceDetector:
    """Finds faces that are upright and look at the camera; any thread may use it.

    Raises:
        FacesUnavailable: OpenCV, or the cascade within it, is not installed.
    """

    def __init__(self) -> None:
        if find_spec("cv2") is None:
            raise FacesUnavailable
        import cv2  # an extra, and slow to import

        self._cv2: Any = cv2
        self._file = Path(cv2.__file__).parent / "data" / CASCADE
        self._own = threading.local()  # a cascade keeps its working images in itself
        if not self._file.exists() or self._cascade().empty():
            raise FacesUnavailable

    def find(self, gray: NDArray[np.uint8]) -> list[Box]:
        """Return the faces in a gray image, (H, W) uint8.

        The cascade needs some context around a face: pad an image that a face fills.
        """
        found = self._cascade().detectMultiScale(
            gray, scaleFactor=SCALE_STEP, minNeighbors=MIN_NEIGHBORS
        )
        return [Box(*map(float, box[:3])) for box in found]

    def _cascade(self) -> Any:
        if not hasattr(self._own, "cascade"):
            self._own.cascade = self._cv2.CascadeClassifier(str(self._file))
        return self._own.cascade
