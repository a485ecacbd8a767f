"""Cattery's data folder, as a user makes one: import a generator, put it into service."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

MODEL = "benchmark"


def variables(data: Path, device: str) -> dict[str, str]:
    """Return the settings of a service that shows the generator to whoever names none."""
    return {
        "CATTERY_DATA": str(data),
        "CATTERY_DEVICE": device,
        "CATTERY_DEFAULT_MODEL": MODEL,
    }


def put_into_service(interpreter: Path, weights: Path, settings: Mapping[str, str]) -> str:
    """Import a generator and promote it; return its version.

    Args:
        interpreter: Cattery's.
        weights: The generator's file.
        settings: The service's.
    """
    said = run(interpreter, settings, "models", "import", MODEL, str(weights))
    found = re.search(rf"Imported {MODEL}@(\w+)", said)
    if found is None:
        sys.exit(f"The generator was not imported:\n{said}")
    run(interpreter, settings, "models", "promote", f"{MODEL}@{found[1]}")
    return found[1]


def run(interpreter: Path, settings: Mapping[str, str], *words: str) -> str:
    """Run a command of Cattery's and return what it says; end this one if it fails."""
    environment = {**os.environ, **settings}  # noqa: TID251 - handed on, not read
    command = [str(interpreter), "-P", "-m", "app.cli", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{ended.stderr}")
    return ended.stdout + ended.stderr
