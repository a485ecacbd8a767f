"""Gather what contenders need, for a machine without internet, in pieces of a limited size.

Wheels are of the versions that this machine has installed, for another Python if told, without
torch and what comes with it: the other machine has these. wrk and its libraries come along.
A file larger than a piece is cut. On the other machine, copy the pieces' files into one folder and
name it: `python -m benchmarks.serving --wheels FOLDER`, which joins what was cut.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from benchmarks.serving.arguments import ENVIRONMENTS
from benchmarks.serving.client import find_wrk
from benchmarks.serving.contenders import CATTERY, CONTENDERS, Contender
from benchmarks.serving.environments import home_of, interpreter_of, name_of

WITH_TORCH = ("torch", "numpy", "pillow")
PLATFORMS = tuple(f"manylinux_2_{minor}_x86_64" for minor in (39, 35, 34, 31, 28, 27, 24, 17))
OLD_PLATFORMS = ("manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64")
LIBRARIES = re.compile(r"(/\S*/lib(?:luajit|ssl|crypto)\S*)")


def main() -> None:
    """Download all, then divide it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}")
    parser.add_argument("--piece-mb", type=float, default=50, help="largest piece")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="FOLDER")
    parser.add_argument("--wrk", type=Path)
    told = parser.parse_args()
    there = _closure(WITH_TORCH)
    flat = told.folder / "all"
    flat.mkdir(parents=True)
    for name in told.contenders:  # apart, for two may want two versions of one package
        pins = _pins(CONTENDERS[name], told.environments)
        wanted = [f"{each}=={version}" for each, version in pins.items() if each not in there]
        _download(wanted, flat, told.python)
    _bring_wrk(find_wrk(told.wrk, None), flat)
    for number, paths in enumerate(_pieces(flat, told.piece_mb), start=1):
        piece = told.folder / str(number)
        piece.mkdir()
        for path in paths:
            path.rename(piece / path.name)
        print(f"{piece}: {sum(p.stat().st_size for p in piece.iterdir()) / 1e6:.0f} MB")
    flat.rmdir()


def _pins(contender: Contender, environments: Path) -> dict[str, str]:
    """Return the versions of all that a contender has installed here, by name."""
    if contender is CATTERY:
        return _closure([*map(name_of, contender.requirements)])
    interpreter_of(contender, environments, None)
    (packages,) = (home_of(contender, environments) / "lib").glob("python*/site-packages")
    listing = [sys.executable, "-m", "pip", "list", "--path", str(packages), "--format", "freeze"]
    said = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    pairs = (line.split("==") for line in said.splitlines() if "==" in line)
    return {name_of(name): version for name, version in pairs}


def _closure(names: Collection[str]) -> dict[str, str]:
    """Return the installed versions of packages and of all that they require."""
    found: dict[str, str] = {}
    open_names = {name_of(name) for name in names}
    while open_names:
        name = open_names.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:  # for another system, or of an extra
            continue
        found[name] = package.version
        needs = [each for each in package.requires or () if "extra ==" not in each]
        open_names |= {name_of(each) for each in needs} - set(found)
    return found


def _download(pins: Sequence[str], folder: Path, python: str) -> None:
    platforms = [f"--platform={name}" for name in (*PLATFORMS, *OLD_PLATFORMS)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp"]
    command += [*platforms, "--dest", str(folder), *pins]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        sys.exit("pip did not download all:\n" + "\n".join(errors))


def _bring_wrk(wrk: Path, folder: Path) -> None:
    shutil.copy(wrk, folder / "wrk")
    said = subprocess.run(["ldd", str(wrk)], capture_output=True, text=True, check=True).stdout
    for library in LIBRARIES.findall(said):
        shutil.copy(library, folder / Path(library).name)


def _pieces(folder: Path, piece_mb: float) -> list[list[Path]]:
    limit = int(piece_mb * 1e6)
    for path in list(folder.iterdir()):
        if path.stat().st_size > limit:
            cut(path, limit)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return [[folder / name for name in names] for names in divided(sizes, limit)]


def divided(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Divide files among pieces, the largest first, each into the first piece where it fits.

    Args:
        sizes: Bytes by name; none is larger than the limit.
        limit: Most bytes of a piece.
    """
    pieces: list[list[str]] = []
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        fitting = (p for p in pieces if sum(sizes[n] for n in p) + sizes[name] <= limit)
        piece = next(fitting, None)
        if piece is None:
            pieces.append(piece := [])
        piece.append(name)
    return pieces


def cut(path: Path, limit: int) -> None:
    """Replace a file by parts of at most so many bytes: NAME.part-1-of-2 and so on."""
    raw = path.read_bytes()
    parts = [raw[at : at + limit] for at in range(0, len(raw), limit)]
    for number, part in enumerate(parts, start=1):
        path.with_name(f"{path.name}.part-{number}-of-{len(parts)}").write_bytes(part)
    path.unlink()


if __name__ == "__main__":
    main()
