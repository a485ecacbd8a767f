"""A format is recognized by content; what a file is called decides nothing."""

import pytest
from PIL import Image

from models.datasets.signatures import FORMATS, recognize


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])
def test_what_pillow_writes_is_recognized(encoded, kind):
    assert recognize(encoded(Image.new("RGB", (64, 64)), kind)) == kind


def test_a_phone_picture_is_recognized(pictures):
    assert recognize((pictures / "phone" / "turned.heic").read_bytes()) == "HEIF"


@pytest.mark.parametrize(
    ("major", "others", "kind"),
    [
        (b"mif1", b"mif1avifmiaf", "AVIF"),
        (b"mif1", b"mif1heicmiaf", "HEIF"),
        (b"isom", b"isomiso2mp41", None),
        (b"qt  ", b"", None),
    ],
)
def test_containers_are_told_apart_by_their_brands(major, others, kind):
    """AVIF, HEIC and films share a container, and its first brand may be a general one."""
    box = b"ftyp" + major + bytes(4) + others
    assert recognize((4 + len(box)).to_bytes(4, "big") + box + bytes(100)) == kind


@pytest.mark.parametrize("head", [b"", b"GIF89a" + bytes(50), b"II*\0" + bytes(50), bytes(100)])
def test_other_content_is_no_image_that_is_read(head):
    assert recognize(head) is None
