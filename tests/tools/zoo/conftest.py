"""The zoo's command line, run in this process on a data folder of its own."""

import pytest

from app.cli.root import run
from tests.app.cli.conftest import data, in_process, store
from tools.zoo.cli import zoo_commands

__all__ = ["data", "store"]  # fixtures


@pytest.fixture
def zoo(data, monkeypatch, capsys):
    """Return a function that runs `python -m tools.zoo ARGUMENTS...`."""
    return in_process(lambda: run(zoo_commands), monkeypatch, capsys)
