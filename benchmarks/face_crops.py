"""Measure what `--crop faces` finds in photographs, and how exactly it frames it.

There are no photographs of several cats with known frames, so scenes are made of a folder of
aligned faces: one to four of them, of 100 to 500 px, turned by up to 10 degrees and with soft
edges, on a background of enlarged pieces of other pictures without their faces. Printed are the
share found, the distance of the centers in percent of the true width, the ratio of the widths,
and what was found where there is no face. With --framing, also where the cascade's box lies in
the aligned pictures themselves: the constants in `models/datasets/face_search.py`.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from models.datasets.face_search import BOX_CENTER, BOX_SIDE, FaceSearch
from models.datasets.landmarks import EYES_AT
from models.images.cat_faces import Box, CatFaceDetector
from models.metrics.faces import MARGIN_PX, SEEN_PX

SIZES = ((1600, 1200), (1200, 1600), (1920, 1080))
SMALLEST_PX, LARGEST_PX = 100, 500
MOST_FACES = 4
MOST_TURN = 10  # degrees
PIECES = 24  # of background
FEWEST_PIXELS = 128  # of a picture's width: smaller ones would be enlarged too much

# A find counts for a face whose center is within a quarter of the width, of a similar size.
NEAR = 0.25
SIMILAR = (0.6, 1.6)


class Scene(NamedTuple):
    """A photograph, and the frames of the faces in it."""

    image: Image.Image
    truth: list[Box]


def main() -> None:
    """Print the figures."""
    arguments = _arguments()
    pictures = [path for folder in arguments.pictures for path in sorted(folder.glob("*.jpg"))]
    generator = random.Random(arguments.seed)  # noqa: S311
    generator.shuffle(pictures)
    large = [path for path in pictures if Image.open(path).width >= FEWEST_PIXELS]
    if arguments.framing:
        _print_framing(large[: arguments.framing])
    _print_found(_scenes(large, arguments.scenes, generator))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+", help="folders of aligned faces")
    parser.add_argument("--scenes", type=int, default=200, help="how many to make")
    parser.add_argument("--framing", type=int, default=0, help="pictures to measure boxes in")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _print_framing(paths: list[Path]) -> None:
    detector, boxes = CatFaceDetector(), []
    for path in paths:
        gray = Image.open(path).convert("L").resize((SEEN_PX, SEEN_PX), Image.Resampling.BICUBIC)
        found = detector.find(np.pad(np.asarray(gray), MARGIN_PX, mode="edge"))
        if len(found) == 1:
            left, top, side = found[0]
            x, y = left - MARGIN_PX + side / 2, top - MARGIN_PX + side / 2
            boxes.append((x / SEEN_PX, y / SEEN_PX, side / SEEN_PX))
    x, y, side = np.median(boxes, axis=0)
    print(
        f"boxes in {len(boxes)} of {len(paths)} pictures: center {x:.3f} {y:.3f}, side {side:.3f}"
    )
    print(f"used: center {BOX_CENTER[0]:.3f} {BOX_CENTER[1]:.3f}, side {BOX_SIDE:.3f}")


def _scenes(paths: list[Path], count: int, generator: random.Random) -> Iterator[Scene]:
    for _ in range(count):
        width, height = generator.choice(SIZES)
        image = Image.new("RGB", (width, height))
        for _ in range(PIECES):
            piece = _piece(Image.open(generator.choice(paths)), generator)
            place = generator.randint(-100, width - 50), generator.randint(-100, height - 50)
            image.paste(piece, place)
        image = image.filter(ImageFilter.GaussianBlur(1))
        truth = _frames(width, height, generator)
        for frame in truth:
            _paste(image, Image.open(generator.choice(paths)), frame, generator)
        yield Scene(image, truth)


def _piece(picture: Image.Image, generator: random.Random) -> Image.Image:
    """Cut a piece from a picture's rim, where ears and fur are, and enlarge it."""
    side = int(0.3 * picture.width)
    left = generator.choice((0, picture.width - side))
    top = generator.choice((0, picture.width // 3, picture.width - side))
    enlarged = generator.randint(200, 900)
    piece = picture.convert("RGB").crop((left, top, left + side, top + side))
    return piece.resize((enlarged, enlarged), Image.Resampling.BICUBIC)


def _frames(width: int, height: int, generator: random.Random) -> list[Box]:
    """Choose frames that do not overlap; the small ones are as many as the large ones."""
    frames: list[Box] = []
    for _ in range(100 * generator.randint(1, MOST_FACES)):
        side = int(SMALLEST_PX * (LARGEST_PX / SMALLEST_PX) ** generator.random())
        left, top = generator.randint(0, width - side), generator.randint(0, height - side)
        box = Box(left, top, side)
        if len(frames) < MOST_FACES and not any(_overlap(box, other) for other in frames):
            frames.append(box)
    return frames[: generator.randint(1, MOST_FACES)]


def _overlap(one: Box, other: Box) -> bool:
    apart = 0.6 * (one.side + other.side)
    x, y = _distance(one, other)
    return x < apart and y < apart


def _paste(image: Image.Image, picture: Image.Image, frame: Box, generator: random.Random) -> None:
    side, turn = int(frame.side), generator.uniform(-MOST_TURN, MOST_TURN)
    rim = side // 14
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rectangle((rim, rim, side - rim, side - rim), fill=255)
    face = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    # Around the eyes, which the search puts at their place.
    center = (EYES_AT[0] * side, EYES_AT[1] * side)
    turned = face.rotate(turn, Image.Resampling.BICUBIC, center=center)
    soft = mask.rotate(turn, center=center).filter(ImageFilter.GaussianBlur(rim / 2))
    image.paste(turned, (int(frame.left), int(frame.top)), soft)


def _print_found(scenes: Iterator[Scene]) -> None:
    search = FaceSearch()
    faces = false = scenes_seen = 0
    spent, errors, ratios = 0.0, [], []
    for scene in scenes:
        scenes_seen += 1
        started = time.process_time()
        found = [
            Box(face.x - EYES_AT[0] * face.side, face.y - EYES_AT[1] * face.side, face.side)
            for face in search(scene.image)
        ]
        spent += time.process_time() - started
        faces += len(scene.truth)
        for truth in scene.truth:
            match = next((box for box in found if _is_match(box, truth)), None)
            if match is not None:
                found.remove(match)
                errors.append(100 * float(np.hypot(*_distance(match, truth))) / truth.side)
                ratios.append(match.side / truth.side)
        false += len(found)
    low, middle, high = np.percentile(ratios, (5, 50, 95))
    print(f"{faces} faces in {scenes_seen} scenes, {1000 * spent / scenes_seen:.0f} ms CPU a scene")
    print(f"found: {100 * len(errors) / faces:.1f} %; elsewhere: {false / scenes_seen:.3f} a scene")
    print(f"center: median {np.median(errors):.1f} %, 95th {np.percentile(errors, 95):.1f} %")
    print(f"width: median {middle:.3f} of the true one, 5th to 95th {low:.3f} to {high:.3f}")


def _distance(one: Box, other: Box) -> tuple[float, float]:
    x = one.left + one.side / 2 - other.left - other.side / 2
    y = one.top + one.side / 2 - other.top - other.side / 2
    return abs(x), abs(y)


def _is_match(found: Box, truth: Box) -> bool:
    is_near = max(_distance(found, truth)) < NEAR * truth.side
    return is_near and SIMILAR[0] < found.side / truth.side < SIMILAR[1]


if __name__ == "__main__":
    main()
