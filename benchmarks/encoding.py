"""Measure what it costs to make files of cats: CPU milliseconds and kilobytes a picture.

Cats of the release's generator at their own size, and photographs where no generator of a size
is at hand: noise would flatter the wrong encoder. Every encoder has one thread; all take turns,
and the best turn counts, so a busy machine moves the figures little. Encoders of packages that
Cattery does not need (OpenCV, imagecodecs) are measured where they are installed, or lie in the
folder that --packages names.

With --spread the pictures are also encoded by several threads and by several processes, which
get pixels and give files through pipes: pictures a second of the clock, on a machine that does
nothing else.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.inference.slot import load_engine
from benchmarks.service import PICTURES
from models.images.formats import encode_png, encode_webp

ZOO = Path(__file__).parents[1] / "models" / "zoo"
WEIGHTS = ZOO / "dcgan" / "generator.safetensors"
PHOTOGRAPH_SIDES_PX = (128, 256)

AVERAGE, PREDICTED = 64, 128
"""libpng's flags for the filters 3 and 4."""

Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], object]


def main() -> None:
    """Print both tables."""
    arguments = _arguments()
    if arguments.packages:
        sys.path.append(str(arguments.packages))
    sets = dict(_sets(arguments.weights, arguments.pictures, arguments.count))
    encoders = {**_pillow(), **_opencv(), **_imagecodecs(), **_ours()}
    _print(encoders, sets, arguments.turns)
    if arguments.spread:
        for name, pictures in sets.items():
            _print_spread(name, pictures, arguments.spread)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, nargs="+", default=[WEIGHTS], help="generators")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder of photographs")
    parser.add_argument("--count", type=int, default=24, help="pictures of each kind")
    parser.add_argument("--turns", type=int, default=7, help="of each encoder; the best counts")
    parser.add_argument("--packages", type=Path, help="folder with further packages")
    parser.add_argument("--spread", type=int, nargs="*", help="numbers of threads and processes")
    return parser.parse_args()


def _sets(weights: list[Path], folder: Path, count: int) -> Iterator[tuple[str, list[Pixels]]]:
    """Yield a name and pictures: each generator's, then photographs at each size."""
    for path in weights:
        pixels = load_engine(path, "cpu").render(range(count))
        yield f"{path.parent.name} {pixels.shape[1]} px", list(pixels)
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    chosen = files[:: max(1, len(files) // count)][:count]
    for side in PHOTOGRAPH_SIDES_PX:
        yield f"photographs {side} px", [_photograph(path, side) for path in chosen]


def _photograph(path: Path, side_px: int) -> Pixels:
    """Return the center square of a photograph at a size: (H, W, 3) uint8."""
    with Image.open(path) as picture:
        side = min(picture.size)
        left, top = ((length - side) // 2 for length in picture.size)
        square = picture.convert("RGB").crop((left, top, left + side, top + side))
        return np.asarray(square.resize((side_px, side_px), Image.Resampling.LANCZOS))


def pillow_level_1(pixels: Pixels) -> bytes:
    """Encode as releases before this one did; named, so that another process finds it."""
    return _saved(pixels, "PNG", compress_level=1)


def _saved(pixels: Pixels, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def _with(kind: str, **options: Any) -> Encode:
    return lambda pixels: _saved(pixels, kind, **options)


def _pillow() -> Mapping[str, Encode]:
    return {
        "Pillow PNG, level 1": pillow_level_1,
        "Pillow PNG, level 1, filtered": _with("PNG", compress_level=1, compress_type=1),
        "Pillow PNG, Huffman only": _with("PNG", compress_level=1, compress_type=2),
        "Pillow PNG, run lengths": _with("PNG", compress_level=1, compress_type=3),
        "Pillow PNG, default (6)": _with("PNG"),
        "Pillow WebP, lossless, method 4": _with("WEBP", lossless=True, quality=0),
        "Pillow WebP, lossy, quality 90, method 2": _with("WEBP", quality=90, method=2),
    }


def _opencv() -> Mapping[str, Encode]:
    cv2: Any = _package("cv2")
    if cv2 is None:
        return {}
    cv2.setNumThreads(1)

    def png(strategy: int, filter_: int) -> Encode:
        settings = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, strategy]
        settings += [cv2.IMWRITE_PNG_FILTER, filter_]
        return lambda pixels: cv2.imencode(".png", pixels[:, :, ::-1], settings)[1].tobytes()

    return {
        "OpenCV PNG, level 1": png(cv2.IMWRITE_PNG_STRATEGY_DEFAULT, cv2.IMWRITE_PNG_ALL_FILTERS),
        "OpenCV PNG, Huffman only": png(
            cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY, cv2.IMWRITE_PNG_ALL_FILTERS
        ),
        "OpenCV PNG, Huffman only, average": png(
            cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY, cv2.IMWRITE_PNG_FILTER_AVG
        ),
    }


def _imagecodecs() -> Mapping[str, Encode]:
    codecs: Any = _package("imagecodecs")
    if codecs is None:
        return {}

    def png(filter_: int) -> Encode:
        settings = {
            "strategy": codecs.PNG.STRATEGY.HUFFMAN_ONLY,
            "filter": filter_,
        }
        return lambda pixels: codecs.png_encode(pixels, level=1, **settings)

    return {
        "imagecodecs PNG, Huffman only, average": png(AVERAGE),
        "imagecodecs PNG, Huffman only, predicted": png(PREDICTED),
        "imagecodecs spng, level 1": lambda pixels: codecs.spng_encode(pixels, level=1),
    }


def _package(name: str) -> object:
    """Return a package that is no dependency, or None."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _ours() -> Mapping[str, Encode]:
    return {"**Cattery PNG**": encode_png, "**Cattery WebP (lossless)**": encode_webp}


def _print(encoders: Mapping[str, Encode], sets: Mapping[str, list[Pixels]], turns: int) -> None:
    print("| encoder | " + " | ".join(f"{name}, CPU ms | kB" for name in sets) + " |")
    print("| --- |" + " ---: | ---: |" * len(sets))
    costs = {name: _costs_ms(encoders, pictures, turns) for name, pictures in sets.items()}
    for encoder, encode in encoders.items():
        cells = []
        for name, pictures in sets.items():
            size = np.mean([len(encode(picture)) for picture in pictures])  # type: ignore[arg-type]
            cells += [f"{costs[name][encoder]:.3f}", f"{size / 1000:.2f}"]
        print(f"| {encoder} | " + " | ".join(cells) + " |")


def _costs_ms(
    encoders: Mapping[str, Encode], pictures: list[Pixels], turns: int
) -> Mapping[str, float]:
    """Return the CPU time of a picture in each encoder's best turn, milliseconds."""
    best = dict.fromkeys(encoders, float("inf"))
    for _ in range(turns):
        for name, encode in encoders.items():
            began = time.thread_time()
            for picture in pictures:
                encode(picture)
            best[name] = min(best[name], 1000 * (time.thread_time() - began) / len(pictures))
    return best


def _print_spread(name: str, pictures: list[Pixels], counts: list[int]) -> None:
    print(f"\n{name}, pictures a second:\n")
    print("| encoder | in |" + "".join(f" {count} |" for count in counts))
    print("| --- | --- |" + " ---: |" * len(counts))
    spawned = multiprocessing.get_context("spawn")
    for encoder, encode in (("Pillow PNG, level 1", pillow_level_1), ("Cattery PNG", encode_png)):
        speeds = [_speed(ThreadPoolExecutor(count), encode, pictures) for count in counts]
        print(f"| {encoder} | threads |" + "".join(f" {speed:,.0f} |" for speed in speeds))
        speeds = [
            _speed(ProcessPoolExecutor(count, mp_context=spawned), encode, pictures)
            for count in counts
        ]
        print(f"| {encoder} | processes |" + "".join(f" {speed:,.0f} |" for speed in speeds))


def _speed(executor: Executor, encode: Encode, pictures: list[Pixels], turns: int = 3) -> float:
    """Return pictures a second in the best turn."""
    many = pictures * 4
    best = 0.0
    with executor:
        for _ in range(turns + 1):  # the first starts the threads or processes
            began = time.perf_counter()
            list(executor.map(encode, many, chunksize=4))
            best = max(best, len(many) / (time.perf_counter() - began))
    return best


if __name__ == "__main__":
    main()
