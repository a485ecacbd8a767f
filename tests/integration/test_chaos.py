"""A short piece of `make chaos`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute on two cores; a busy machine may take many
def test_ten_random_kills_lose_and_double_nothing(tmp_path):
    """Every accepted job ends, once, with the weights of a job that nobody disturbed."""
    command = [sys.executable, "-m", "benchmarks.chaos", "--kills", "10", "--seed", "1"]
    command += ["--keep", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=880, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost               0" in done.stdout
    assert "doubled            0" in done.stdout
