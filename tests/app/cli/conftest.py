"""The command line, run in this process on a data folder of its own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli import main
from models.store import Store
from models.store.names import timestamp
from models.store.records import Card
from tests.records import card


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]
"""Runs a program of ours with some arguments."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data folder that the settings name."""
    folder = tmp_path / "data"
    monkeypatch.setenv("CATTERY_DATA", str(folder))
    for name in ("STORE", "REDIS_URL", "HOST", "PORT", "API_KEY"):
        monkeypatch.delenv(f"CATTERY_{name}", raising=False)
    return folder


@pytest.fixture
def cattery(data, monkeypatch, capsys) -> Command:
    """Return a function that runs `cattery ARGUMENTS...`."""
    return in_process(main, monkeypatch, capsys)


def in_process(main, monkeypatch, capsys) -> Command:
    """Return a function that runs a program's `main` with arguments."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), out, err)

    return run


@pytest.fixture
def store(data: Path) -> Store:
    return Store.open(str(data / "store"))


@pytest.fixture
def published(store: Store) -> Callable[[bytes], Card]:
    """Return a function that publishes a version of the model `tabby`, of any bytes."""

    def publish(weights: bytes) -> Card:
        return store.versions.publish("tabby", weights, card(created_at=timestamp()), b"png")

    return publish
