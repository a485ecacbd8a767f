"""Attributes of pictures that are drawn to have them."""

import pytest
import torch

from models.directions.attributes import ATTRIBUTES, measure

SIDES_PX = [32, 64, 128, 256]


def face(side_px=64):
    return torch.zeros(1, 3, side_px, side_px)


def paint(image, top, bottom, left, right, color):
    side = image.shape[-1]
    rows = slice(round(top * side), round(bottom * side))
    columns = slice(round(left * side), round(right * side))
    image[:, :, rows, columns] = torch.tensor(color)[:, None, None]
    return image


DRAWN = {
    "white": ((0.15, 0.8, 0.2, 0.8), (1.0, 1.0, 1.0)),
    "ginger": ((0.15, 0.8, 0.2, 0.8), (0.8, 0.0, -0.8)),
    "tuxedo": ((0.6, 0.85, 0.36, 0.64), (1.0, 1.0, 1.0)),
    "pointed": ((0.25, 0.75, 0.25, 0.75), (-1.0, -1.0, -1.0)),
    "bib": ((0.85, 1.0, 0.0, 1.0), (1.0, 1.0, 1.0)),
    "glowing": ((0.34, 0.46, 0.2, 0.38), (1.0, 1.0, 1.0)),
    "greeneyed": ((0.34, 0.46, 0.62, 0.8), (-0.5, 1.0, -0.5)),
    "turned": ((0.0, 1.0, 0.0, 0.5), (1.0, 1.0, 1.0)),
    "backdrop": ((0.0, 0.2, 0.0, 1.0), (1.0, 1.0, 1.0)),
}


@pytest.mark.parametrize("side_px", SIDES_PX)
@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_drawn_to_have_it_has_more_of_it(name, side_px):
    box, color = DRAWN[name]
    plain, drawn = (
        measure(face(side_px))[name],
        measure(paint(face(side_px), *box, color))[name],
    )
    assert float(plain) == pytest.approx(0, abs=1e-6)
    assert float(drawn) > 0.2


def test_stripes_are_tabby():
    striped = face()
    striped[..., ::4] = 1
    assert float(measure(striped)["tabby"]) > float(measure(face())["tabby"]) + 0.2


@pytest.mark.parametrize("side_px", [128, 256])
def test_the_same_picture_has_the_same_attributes_at_every_size(side_px):
    """Enlarged by repeating pixels, so that nothing is interpolated."""
    small = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    times = side_px // 64
    large = small.repeat_interleave(times, 2).repeat_interleave(times, 3)
    expected, found = measure(small), measure(large)
    for name in ATTRIBUTES:
        assert found[name].tolist() == pytest.approx(expected[name].tolist(), abs=1e-5)
