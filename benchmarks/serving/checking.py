"""Whether a contender shows the right cats: a fast wrong answer is worth nothing."""

import io
import sys
import zipfile

import numpy as np
from PIL import Image

from benchmarks.serving.cases import Case
from benchmarks.serving.servers.painting import Order, Painter, Pixels
from models.images.formats import contact_sheet


def check(
    painter: Painter, case: Case, seed: int, body: bytes | None, who: str, most: int = 1
) -> int:
    """Compare an answer with pictures made here; end the command if they differ.

    Args:
        painter: Makes the right ones.
        case: What was asked.
        seed: The first cat's.
        body: The answer; None if there was none.
        who: Answered.
        most: Difference that is let pass, gray levels.

    Returns:
        The largest difference, gray levels.
    """
    if body is None:
        sys.exit(f"{who} did not answer {case.title}.")
    pixels = painter.pixels(Order(seed, case.images).seeds)
    wanted = list(pixels) if case.format == "zip" else [contact_sheet(pixels)]
    shown = pictures_of(case, body)
    if [each.shape for each in shown] != [each.shape for each in wanted]:
        sys.exit(f"{who} shows pictures of other shapes: {[each.shape for each in shown]}.")
    pairs = zip(shown, wanted, strict=True)
    levels = max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs)
    if levels > most:
        sys.exit(f"{who} shows other cats: up to {levels} gray levels off.")
    return levels


def pictures_of(case: Case, body: bytes) -> list[Pixels]:
    """Decode an answer: (H, W, 3) uint8 each."""
    if case.format == "png":
        return [_decoded(body)]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return [_decoded(archive.read(name)) for name in archive.namelist()]


def _decoded(file: bytes) -> Pixels:
    with Image.open(io.BytesIO(file)) as picture:
        return np.asarray(picture.convert("RGB"))
