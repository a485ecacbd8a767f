"""The tests mirror the packages, so that whoever changes a module finds what holds it."""

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGES = ("app", "models", "tools", "worker")


def _has_module(path: Path) -> bool:
    """Say whether a file of tests is named for a module or sub-package, or for a part of one."""
    subject = path.stem.removeprefix("test_")
    folder = ROOT / path.parent.relative_to(TESTS)
    names = [entry.stem for entry in folder.iterdir() if entry.is_dir() or entry.suffix == ".py"]
    return any(subject == name or subject.startswith(f"{name}_") for name in names)


def test_every_file_of_tests_lies_where_its_module_does() -> None:
    """`app/cats/cache.py` has `tests/app/cats/test_cache.py`, maybe `test_cache_eviction.py`."""
    paths = [path for name in PACKAGES for path in (TESTS / name).rglob("test_*.py")]
    assert len(paths) > 50
    assert [str(path.relative_to(ROOT)) for path in paths if not _has_module(path)] == []


def test_no_two_files_define_the_same_fixture() -> None:
    """What two files need lies in a `conftest.py` above both."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in TESTS.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "fixture" in map(_name, node.decorator_list):
                node.decorator_list, node.body = [], _without_docstring(node.body)
                places[ast.unparse(node)].append(str(path.relative_to(ROOT)))
    assert [files for files in places.values() if len(files) > 1] == []


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.attr if isinstance(called, ast.Attribute) else ""


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
