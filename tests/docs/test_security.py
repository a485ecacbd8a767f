"""SECURITY.md against the tests: what it says stands against an attack exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def functions_of(path: Path) -> set[str]:
    """Return the names of the functions of a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_attack_has_a_test_that_exists():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(tests/[^`]+\.py)(?:::(test_\w+))?`", row)
        assert named, row
        for path, name in named:
            assert (ROOT / path).is_file(), path
            assert not name or name in functions_of(ROOT / path), name
