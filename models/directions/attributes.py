"""The one table of attributes that directions are named for, measured on pixels.

Faces are aligned (docs/architecture.md): eyes level at two fifths of the height. So a region in
relative coordinates is the same part of the face at every resolution.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE_PX = 64  # larger images are averaged down to it, so that detail means the same
LUMA = (0.299, 0.587, 0.114)

Box = tuple[float, float, float, float]  # top, bottom, left, right, as fractions

FACE: Box = (0.15, 0.80, 0.20, 0.80)
FOREHEAD: Box = (0.10, 0.35, 0.20, 0.80)
MUZZLE: Box = (0.60, 0.85, 0.36, 0.64)
BIB: Box = (0.85, 1.00, 0.30, 0.70)
EYE_BAND: Box = (0.25, 0.60, 0.15, 0.85)
EYES: tuple[Box, Box] = ((0.34, 0.46, 0.20, 0.38), (0.34, 0.46, 0.62, 0.80))
SIDES: tuple[Box, Box] = ((0.30, 0.75, 0.00, 0.06), (0.30, 0.75, 0.94, 1.00))
CORNERS: tuple[Box, Box] = ((0.00, 0.20, 0.00, 0.15), (0.00, 0.20, 0.85, 1.00))
HALVES: tuple[Box, Box] = ((0.30, 0.70, 0.00, 0.50), (0.30, 0.70, 0.50, 1.00))


@dataclass(frozen=True)
class Attribute:
    """A property of a picture that a direction can change.

    Attributes:
        name: Of the direction, as in addresses.
        more: What a positive amount makes of a cat, in words.
        measure: (N, 3, S, S) in [-1, 1], RGB, to (N,).
    """

    name: str
    more: str
    measure: Callable[[Tensor], Tensor]


def _light(x: Tensor) -> Tensor:
    return (x * x.new_tensor(LUMA)[:, None, None]).sum(1)


def _warm(x: Tensor) -> Tensor:
    return x[:, 0] - x[:, 2]


def _green(x: Tensor) -> Tensor:
    return x[:, 1] - (x[:, 0] + x[:, 2]) / 2


def _mean(maps: Tensor, *boxes: Box) -> Tensor:
    """Return the mean over boxes of equal size, (N,), of (N, S, S)."""
    side = maps.shape[-1]
    found = []
    for box in boxes:
        top, bottom, left, right = (round(edge * side) for edge in box)
        found.append(maps[:, top:bottom, left:right].mean((1, 2)))
    return torch.stack(found).mean(0)


def _detail(x: Tensor) -> Tensor:
    light = _light(x)
    return light.diff(dim=1).abs().mean((1, 2)) + light.diff(dim=2).abs().mean((1, 2))


ATTRIBUTES: Mapping[str, Attribute] = {
    row.name: row
    for row in (
        Attribute("white", "a lighter coat, from black to white", lambda x: _mean(_light(x), FACE)),
        Attribute(
            "ginger", "a ginger coat instead of a blue-gray one", lambda x: _mean(_warm(x), FACE)
        ),
        Attribute(
            "tuxedo",
            "a white muzzle under a dark forehead",
            lambda x: _mean(_light(x), MUZZLE) - _mean(_light(x), FOREHEAD),
        ),
        Attribute(
            "pointed",
            "a dark face in light fur, as a Siamese has",
            lambda x: _mean(_light(x), *SIDES) - _mean(_light(x), (0.25, 0.75, 0.25, 0.75)),
        ),
        Attribute("tabby", "sharper stripes and whiskers", _detail),
        Attribute("bib", "a light chest", lambda x: _mean(_light(x), BIB) - _mean(_light(x), FACE)),
        Attribute(
            "glowing",
            "eyes that are lighter than the face",
            lambda x: _mean(_light(x), *EYES) - _mean(_light(x), EYE_BAND),
        ),
        Attribute(
            "greeneyed",
            "wide, green eyes",
            lambda x: _mean(_green(x), *EYES) - _mean(_green(x), FACE),
        ),
        Attribute(
            "turned",
            "a head that is turned the other way",
            lambda x: _mean(_light(x), HALVES[0]) - _mean(_light(x), HALVES[1]),
        ),
        Attribute("backdrop", "a lighter background", lambda x: _mean(_light(x), *CORNERS)),
    )
}


def measure(images: Tensor) -> dict[str, Tensor]:
    """Return every attribute of images by name, (N,) each.

    Args:
        images: (N, 3, H, W) float32 in [-1, 1].
    """
    small = F.adaptive_avg_pool2d(images, min(images.shape[-1], SIDE_PX))
    return {name: row.measure(small) for name, row in ATTRIBUTES.items()}
