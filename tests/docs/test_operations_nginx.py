"""Holds the nginx configuration of docs/operations.md to the service behind it."""

import re
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import AppSettings

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
SIZES = {"m": 1 << 20, "g": 1 << 30}


@pytest.fixture(scope="module")
def block() -> str:
    """Return the configuration without its comments."""
    section = PAGE.read_text(encoding="utf-8").partition("\n### nginx in front\n")[2]
    text = re.search(r"```nginx\n(.*?)```", section, re.DOTALL)
    assert text is not None
    return re.sub(r"#.*", "", text[1])


def test_every_line_is_a_directive(block):
    """Each ends with a semicolon or begins or ends a block; the blocks are closed."""
    lines = [line.strip() for line in block.replace("\n                 ", " ").splitlines()]
    assert [line for line in lines if line and line[-1] not in ";{}"] == []
    assert block.count("{") == block.count("}")


def test_each_location_is_a_path_of_the_api(block):
    """A route that moves must not lose its buffering or its cache."""
    paths = [re.sub(r"\{\w+\}", "x", path) for path in create_app(AppSettings()).openapi()["paths"]]
    patterns = re.findall(r"location ~ (\S+) \{", block)
    assert len(patterns) == 3
    for pattern in patterns:
        assert any(re.search(pattern, path) for path in paths), pattern


def test_its_limits_are_those_of_the_settings(block):
    """Bodies as large as Cattery takes, timeouts no longer than its own."""
    settings = AppSettings()
    sizes = re.findall(r"client_max_body_size (\d+)([mg]);", block)
    bodies = [settings.max_body_bytes, settings.max_upload_bytes]
    assert [int(n) * SIZES[unit] for n, unit in sizes] == bodies
    seconds = dict(re.findall(r"(\w+_timeout) (\d+)s;", block))
    assert float(seconds["client_header_timeout"]) <= settings.header_timeout_s
    assert float(seconds["client_body_timeout"]) <= settings.body_timeout_s
    assert float(seconds["send_timeout"]) <= settings.send_timeout_s
    assert float(seconds["proxy_read_timeout"]) > settings.deadline_s
