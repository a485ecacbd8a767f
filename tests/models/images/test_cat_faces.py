import sys

import numpy as np
import pytest

from models.images.cat_faces import CatFaceDetector, FacesUnavailable


def test_without_opencv_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr("models.images.cat_faces.find_spec", lambda _name: None)
    with pytest.raises(FacesUnavailable, match="opencv-python-headless<5"):
        CatFaceDetector()


def test_without_the_cascade_the_remedy_is_named(monkeypatch):
    """The wheels of OpenCV 5 do not hold it."""
    monkeypatch.setattr("models.images.cat_faces.CASCADE", "gone.xml")
    with pytest.raises(FacesUnavailable, match="below 5"):
        CatFaceDetector()


def test_an_empty_image_has_no_faces():
    assert CatFaceDetector().find(np.full((90, 90), 127, np.uint8)) == []
