"""The page's files: one digest, no library that differs from its lock file."""

import gzip
import json
from pathlib import Path

from app.page.assets import STATIC, Assets

ROOT = Path(__file__).parents[3]


def _page(folder: Path, script: str) -> Assets:
    (folder / "vendor").mkdir(parents=True)
    (folder / "index.html").write_text("<!-- links --><!-- sprite -->{digest}")
    (folder / "docs.html").write_text("{digest}")
    (folder / "vendor" / "icons.svg").write_text("<svg/>")
    (folder / "style.css").write_text("a{}")
    (folder / "main.js").write_text(script)
    (folder / "notes.md").write_text("not served")
    return Assets.read(folder)


def test_any_changed_file_changes_all_addresses(tmp_path) -> None:
    old, same, new = (
        _page(tmp_path / name, text) for name, text in [("a", "1"), ("b", "1"), ("c", "2")]
    )
    assert old.digest == same.digest != new.digest
    assert new.digest.encode() in new.index.content


def test_the_index_links_to_every_style_and_module(tmp_path) -> None:
    assets = _page(tmp_path / "a", "1")
    page = assets.index.content.decode()
    assert f'<link rel="stylesheet" href="page/{assets.digest}/style.css">' in page
    assert f'<link rel="modulepreload" href="page/{assets.digest}/main.js">' in page
    assert "<svg/>" in page
    assert sorted(assets.files) == ["main.js", "style.css", "vendor/icons.svg"]


def test_files_are_compressed(tmp_path) -> None:
    file = _page(tmp_path / "a", "x" * 1000).files["main.js"]
    assert gzip.decompress(file.compressed) == file.content
    assert len(file.compressed) < 100


def test_styles_are_in_the_order_tokens_components_views() -> None:
    page = Assets.read().index.content.decode()
    styles = [line.rpartition("href=")[2] for line in page.splitlines() if "stylesheet" in line]
    assert "/style.css" in styles[0]
    assert "/components.css" in styles[1]
    assert any("/views/" in style for style in styles[2:])


def test_script_and_style_are_below_150_kilobytes() -> None:
    assets = Assets.read()
    page = assets.index.content.decode()
    loaded = [file for path, file in assets.files.items() if f"/{path}" in page]
    assert sum(len(file.compressed) for file in loaded) < 150_000


def test_libraries_are_those_of_the_lock_file() -> None:
    """Without network; `make page-check` compares the files themselves."""
    lock = json.loads((ROOT / "tools/page/package-lock.json").read_text())["packages"]
    versions = json.loads((STATIC / "vendor/versions.json").read_text())
    assert "preact" in versions
    assert versions == {name: lock[f"node_modules/{name}"]["version"] for name in versions}
    licenses = (STATIC / "vendor/licenses.txt").read_text()
    shipped = [name for name in versions if name not in ("axe-core", "esbuild")]
    assert [name for name in shipped if f"{name} {versions[name]} (" not in licenses] == []
