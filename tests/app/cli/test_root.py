"""How commands end when something is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

import models.zoo


def test_help_imports_neither_torch_nor_the_web(cattery):
    code = (
        "import sys; sys.argv = ['cattery', '--help']\n"
        "from app.cli import main\n"
        "try: main()\n"
        "finally: print({'torch', 'fastapi', 'redis', 'rq', 'pydantic'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("\nset()\n")


def test_version_is_printed(cattery):
    outcome = cattery("--version")
    assert (outcome.code, outcome.out) == (0, "cattery 0.1.0\n")


@pytest.mark.parametrize("arguments", [["purr"], ["models", "show"], ["generate", "--n", "0"]])
def test_wrong_usage_exits_with_2(cattery, arguments):
    outcome = cattery(*arguments)
    assert outcome.code == 2
    assert "Error" in outcome.err


def test_an_error_of_ours_is_one_line(cattery):
    outcome = cattery("models", "show", "nobody")
    assert outcome.code == 1
    known = ", ".join(Path(models.zoo.__file__).with_name("models.txt").read_text().split())
    assert outcome.err == f"Error: There is no model 'nobody'. Known: {known}.\n"


def test_a_bad_setting_is_one_line_with_its_name(cattery, monkeypatch):
    """It names the variable and the value, and prints no secret that stands beside it."""
    monkeypatch.setenv("CATTERY_API_KEY", "tell-nobody")
    monkeypatch.setenv("CATTERY_PORT", "eight")
    outcome = cattery("serve")
    assert outcome.code == 1
    assert outcome.err.startswith("Error: CATTERY_PORT is 'eight': ")
    assert "tell-nobody" not in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_broken_store_is_one_line(cattery, data):
    data.mkdir()
    (data / "store").write_text("not a folder")
    outcome = cattery("models", "list")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert str(data / "store") in outcome.err


@pytest.mark.parametrize(
    "command", [["generate"], ["walk"], ["models", "export", "dcgan"]], ids=lambda c: c[0]
)
def test_a_file_that_cannot_be_written_is_one_line(cattery, tmp_path, command):
    suffix = {"generate": ".png", "walk": ".webp"}.get(command[0], ".zip")
    target = tmp_path / "nowhere" / f"file{suffix}"
    outcome = cattery(*command, "-o", str(target))
    assert outcome.code == 1
    assert str(tmp_path / "nowhere") in outcome.err
    assert outcome.err.count("\n") == 1
