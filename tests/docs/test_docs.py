"""The documentation against the code: what it names exists, and what exists is named."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer.main
from PIL import Image
from starlette.routing import Match

from app.api.schemas import PromoteBody, TrainBody
from app.cats.parameters import CatsQuery
from app.cli.root import commands
from app.main import create_app
from app.settings import AppSettings
from models.gan.recipes import RECIPES
from models.hyperparameters import LIMITS
from tools.zoo.cli import zoo_commands
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")]
LONGEST_README = 150
RUN_S = 60
SAFE_TO_RUN = ("cattery models list", "cattery dataset list")
PROGRAMS: dict[str, Any] = {
    "cattery": typer.main.get_command(commands),
    "python -m tools.zoo": typer.main.get_command(zoo_commands),
}
BODIES = {"/train": TrainBody, "/models/dcgan/promote": PromoteBody}


def text_of(page: Path) -> str:
    """Return a page without the changelog's removals, which name what no longer exists."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^### Removed\n.*?(?=^##|\Z)", "", text, flags=re.DOTALL | re.MULTILINE)


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def shell_lines(text: str) -> list[str]:
    """Return the commands of a page's shell blocks, continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]


def commands_in(program: str) -> list[list[str]]:
    """Return the arguments of each call of a program in a shell block of any page, in words."""
    lines = [line for page in PAGES for line in shell_lines(page.read_text(encoding="utf-8"))]
    name = program.split()
    calls = map(shlex.split, lines)
    return [words[len(name) :] for words in calls if words[: len(name)] == name]


def settings() -> set[str]:
    """Return the environment variables of all settings."""
    fields = {*AppSettings.model_fields, *WorkerSettings.model_fields}
    return {f"CATTERY_{name.upper()}" for name in fields}


def of_compose() -> set[str]:
    """Return the variables that docker-compose.yml reads itself."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return set(re.findall(r"\$\{(CATTERY_[A-Z_]+)", text))


def run(*command: str, cwd: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program with next to nothing in its environment but what is told."""
    texts: dict = {"capture_output": True, "text": True, "timeout": RUN_S, "check": False}
    return subprocess.run(command, cwd=cwd, env={"PATH": "/usr/bin:/bin", **more}, **texts)


def cattery(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run the real command line on a data folder of its own."""
    command = (sys.executable, "-m", "app.cli", *arguments)
    return run(*command, CATTERY_DATA=str(data), COLUMNS="120")


def documented_calls() -> Iterator[tuple[str, list[str]]]:
    """Yield each call of a program of ours in the pages: the program and its arguments."""
    yield from ((program, words) for program in PROGRAMS for words in commands_in(program))


def curl_calls() -> Iterator[tuple[str, str, str | None]]:
    """Yield method, address and body of each curl call in the pages."""
    for words in commands_in("curl"):
        address = next(word for word in words if word.startswith("http"))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        yield method, address, words[words.index("-d") + 1] if "-d" in words else None


@pytest.fixture(scope="module")
def app():
    return create_app(AppSettings.model_construct())


def generate(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the generator in a folder's `docs/`, which writes or checks the pages beside it."""
    return run(sys.executable, "-m", "docs.generate", *arguments, cwd=root, PYTHONPATH=str(ROOT))


def test_the_generated_pages_are_what_the_code_says_now():
    ended = generate("--check")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_stale_page_is_told_by_name_and_written_again(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "generate.py").write_bytes((DOCS / "generate.py").read_bytes())
    assert generate(root=tmp_path).returncode == 0
    page = folder / "recipes.md"
    truth = page.read_text(encoding="utf-8")
    page.write_text("An older truth.\n", encoding="utf-8")
    ended = generate("--check", root=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "Stale in docs/: recipes.md. Run `make docs`.\n")
    assert generate(root=tmp_path).returncode == 0
    assert page.read_text(encoding="utf-8") == truth


def test_every_setting_is_documented():
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [name for name in sorted(settings()) if f"| `{name}` |" not in page] == []


def test_every_recipe_and_each_of_its_numbers_is_documented():
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    missing = [name for name in RECIPES if f"\n## `{name}`\n" not in page]
    missing += [name for name in LIMITS if f"| `{name}` |" not in page]
    assert missing == []


def test_every_route_is_documented(app):
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    calls = [f"{m.upper()} {path}" for path, ms in app.openapi()["paths"].items() for m in ms]
    assert len(calls) > 20
    assert [call for call in calls if f"\n## `{call}`\n" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    links = [t.partition("#") for t in targets if "://" not in t]
    assert [name for name, _, _ in links if not (page.parent / name).exists()] == []
    files = {name: page.parent / name if name else page for name, _, anchor in links if anchor}
    broken = [f"{n}#{a}" for n, _, a in links if a and a not in headings(files[n])]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_and_setting_that_a_page_names_exists(page):
    text = text_of(page)
    top = "app|models|worker|tools|tests|docs|benchmarks|docker"
    modules = re.findall(rf"`((?:{top})/[\w./-]+)`", text)
    missing = [name for name in modules if not (ROOT / name).exists()]
    variables = set(re.findall(r"CATTERY_[A-Z_]+[A-Z]", text))
    assert (missing, sorted(variables - settings() - of_compose())) == ([], [])


def test_the_table_of_components_is_the_directory_listing():
    """The first table of docs/architecture.md names all that `ls app models worker` shows."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("\n| --- |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("app", "models", "worker")
        for path in (ROOT / package).iterdir()
        if path.name not in {"__init__.py", "__pycache__"}
    }
    assert listed == found


@pytest.mark.parametrize("words", commands_in("make"), ids=" ".join)
def test_every_make_target_in_the_pages_exists(words):
    """Make itself finds a way to it (it only says what it would do)."""
    ended = run("make", "--dry-run", *words)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(("program", "words"), list(documented_calls()))
def test_every_command_in_the_pages_exists_with_its_options(program, words):
    """The command and each option that a page uses are in the program's tree of commands."""
    command: Any = PROGRAMS[program]
    words = list(words)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    used = [word.partition("=")[0] for word in words if word.startswith("-")]
    options = [(*p.opts, *p.secondary_opts) for p in command.params]
    known = set(chain.from_iterable(options))
    assert not hasattr(command, "commands"), "a group is no command"
    assert set(used) <= known


def test_every_option_of_the_zoo_s_commands_is_documented():
    page = (DOCS / "training-the-zoo.md").read_text(encoding="utf-8")
    used = PROGRAMS["python -m tools.zoo"].commands.values()
    options = {p.opts[0] for c in used for p in c.params if p.param_type_name == "option"}
    assert "--idle" in options
    assert [name for name in sorted(options) if f"`{name}" not in page] == []


def test_every_verb_in_running_text_exists():
    """`make verb` and `cattery command` between backticks name what there is."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known: dict[str, Any] = {name: tree.commands for name, tree in PROGRAMS.items()}
    known["make"] = re.findall(r"^([a-z-]+): ", makefile, re.MULTILINE)
    mentions = re.compile(rf"`({'|'.join(known)}) ([a-z-]+)")
    unknown = [
        f"{page.name}: {program} {verb}"
        for page in PAGES
        for program, verb in mentions.findall(text_of(page))
        if verb not in known[program]
    ]
    assert unknown == []


@pytest.mark.parametrize(("method", "address", "body"), list(curl_calls()))
def test_every_curl_call_in_the_pages_is_one_that_the_service_takes(app, method, address, body):
    """A route takes the path and method, and its schema the query or body."""
    parts = urlsplit(address)
    scope = {"type": "http", "method": method, "path": parts.path, "headers": []}
    assert any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    if parts.path == "/cats":
        CatsQuery(**dict(parse_qsl(parts.query)))
    if body is not None:
        BODIES[parts.path](**json.loads(body))


def test_the_cheap_commands_of_the_readme_run(tmp_path):
    """They end with 0 on a fresh data folder; so does the help of everything else it names."""
    lines = shell_lines(README)
    ran = [line for line in lines if line in SAFE_TO_RUN]
    assert "cattery models list" in ran
    for line in ran:
        ended = cattery(*shlex.split(line)[1:], data=tmp_path)
        assert ended.returncode == 0, ended.stderr
    ended = cattery("--help", data=tmp_path)
    assert ended.returncode == 0
    named = {words[0] for words in commands_in("cattery")}
    assert [name for name in named if name not in ended.stdout] == []


def test_the_readme_shows_the_picks_of_every_generator_that_comes_with_it():
    cards = [json.loads(path.read_text()) for path in (ROOT / "models/zoo").glob("*/card.json")]
    assert cards
    for card in cards:
        assert card["picks"]
        assert f"](models/zoo/{card['model']}/picks.png)" in README
        assert f"`{card['model']}`" in README
    if any("NC" in card["dataset"]["license"] for card in cards):
        assert "CC BY-NC" in README


def test_the_readme_is_short_and_shows_the_cats_that_it_says():
    """At most 150 lines; the picture's own text chunks agree with its caption."""
    assert len(README.splitlines()) <= LONGEST_README
    with Image.open(DOCS / "images" / "cats.png") as picture:
        text = {key: picture.info.get(key) for key in ("Cattery-Model", "Cattery-Seeds")}
        assert picture.size == (256, 256)
    assert text == {"Cattery-Model": "dcgan", "Cattery-Seeds": "0-15"}
    assert "model `dcgan`, seeds 0 to 15" in README
