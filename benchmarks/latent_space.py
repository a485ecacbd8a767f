"""Directions, found photographs and siblings of the generators that ship, for docs/results.md.

`python -m benchmarks.latent_space PHOTOS [--count 50] [--output FOLDER]`: PHOTOS is a folder of
aligned faces; those are used that every import holds out of training. Prints Markdown tables, and
writes sheets of sliders, litters and found cats. One thread.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.datasets.pipeline import HELDOUT_SHARE
from models.directions.fitting import fit
from models.finding.finder import Finder, Found
from models.inference.checkpoints import load_generator
from models.inference.engine import Engine
from models.latent_space import BoundPoint, LatentSpace, Point, parse
from models.metrics.features import Features

ZOO = Path("models/zoo")
PAIRS = [(2 * n, 2 * n + 1) for n in range(20)]
LITTER = 6
SLIDER = ("-3.0", "-1.5", "0", "1.5", "3.0")

Pictures = NDArray[np.uint8]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--output", type=Path, default=Path())
    given = parser.parse_args()
    torch.set_num_threads(1)
    features = Features(torch.device("cpu"))
    for name in (ZOO / "models.txt").read_text().split():
        _measure(name, given.photos, given.count, given.output, features)


def _measure(name: str, folder: Path, count: int, output: Path, features: Features) -> None:
    weights = ZOO / name / "generator.safetensors"
    engine = Engine(load_generator(weights))
    fitted = fit(load_generator(weights))
    print(f"\n## {name}: fitted in {fitted.fit_s:.1f} s, {len(fitted.to_bytes()):,} bytes\n")
    for row in fitted.directions:
        r2 = "" if row.r2 is None else f"{row.r2:.2f}"
        print(f"| `{row.name}` | {row.more} | {r2} | {row.effect:.2f} | {row.is_offered} |")
    space = LatentSpace(z_dim=engine.z_dim, directions=fitted.offered, truncates=engine.truncates)
    _sliders(engine, space, output / f"sliders-{name}.png")
    _litters(engine, space, features, output / f"litters-{name}.png")
    photos = _heldout(folder, engine.size_px, count)
    finder = Finder(load_generator(weights), fitted, features)
    found = [finder.find(photo) for photo in photos]
    _found(engine, photos, found, features, output / f"found-{name}.png")


def _sliders(engine: Engine, space: LatentSpace, path: Path) -> None:
    seeds = (7, 12, 30)
    rows = []
    for name in space.directions:
        points = [parse(f"{seed}_{name}{by}") for seed in seeds for by in SLIDER]
        rows.append(_render(engine, space, points))
    _save(rows, path)


def _litters(engine: Engine, space: LatentSpace, features: Features, path: Path) -> None:
    rows, within = [], []
    for one, other in PAIRS:
        kittens = [parse(f"{one}x{other}.{number}") for number in range(LITTER)]
        images = _render(engine, space, [parse(str(one)), parse(str(other)), *kittens])
        rows.append(images)
        within.append(_spread(features(images[2:])))
    strangers = _spread(features(engine.render(range(100, 160))))
    share = np.mean(within) / strangers
    print(f"\nvariety of siblings {np.mean(within):.2f}, of seeds {strangers:.2f}: {share:.0%}")
    _save(rows[:8], path)


def _found(
    engine: Engine, photos: Pictures, found: list[Found], features: Features, path: Path
) -> None:
    images = np.stack([one.image for one in found])
    nearest = engine.render([one.nearest_seed for one in found])
    random = engine.render(range(3000, 3000 + len(photos)))
    goal = features(photos)
    print("\n| | PSNR, dB | feature distance | likeness |\n| --- | ---: | ---: | ---: |")
    for label, made, likeness in (
        ("found", images, [one.likeness for one in found]),
        ("nearest of 2,000 seeds", nearest, [one.nearest_likeness for one in found]),
        ("a random seed", random, None),
    ):
        distance = np.linalg.norm(features(made) - goal, axis=1)
        shown = "" if likeness is None else f"{np.mean(likeness):.1f}"
        print(f"| {label} | {_psnr(made, photos):.1f} | {distance.mean():.2f} | {shown} |")
    closer = np.mean([one.likeness > one.nearest_likeness for one in found])
    seconds = sorted(one.seconds for one in found)
    median = seconds[len(seconds) // 2]
    print(f"\nmore alike than the nearest seed: {closer:.0%}; median {median:.2f} s a photo")
    _save([photos[:12], images[:12], nearest[:12]], path)


def _render(engine: Engine, space: LatentSpace, points: list[Point]) -> Pictures:
    return engine.render([BoundPoint(point, space) for point in points])


def _heldout(folder: Path, side: int, count: int) -> Pictures:
    """Return photographs that no import of the folder trains on, (N, H, W, 3) uint8."""
    chosen: list[Pictures] = []
    for path in sorted(folder.iterdir()):
        content = hashlib.sha256(path.read_bytes()).digest()
        if int.from_bytes(content[:8], "big") >= HELDOUT_SHARE * 2**64:
            continue
        image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        chosen.append(np.asarray(image))
        if len(chosen) == count:
            break
    return np.stack(chosen)


def _spread(rows: NDArray[np.float32]) -> float:
    """Return the mean distance between two different rows."""
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    return float(distances.sum() / (len(rows) * (len(rows) - 1)))


def _psnr(made: Pictures, photos: Pictures) -> float:
    error = np.square(made.astype(np.float64) - photos).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / error)).mean())


def _save(rows: list[Pictures], path: Path) -> None:
    sheet = np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)
    Image.fromarray(sheet).save(path)


if __name__ == "__main__":
    main()
