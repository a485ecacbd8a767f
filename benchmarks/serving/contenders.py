"""The table of contenders: what each one needs, how it is started and how it is asked."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.cases import Case
from benchmarks.serving.servers.painting import Instructions

ROOT = Path(__file__).parents[2]
SEED = "{seed}"
"""Stands for the seed in a call; the client puts another one there each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request with a place for the seed.

    Attributes:
        method: GET or POST.
        path: With the query.
        body: JSON, or nothing.
    """

    method: str = "GET"
    path: str
    body: str = ""

    def of(self, seed: int) -> "Call":
        """Return the request for one seed."""
        path, body = (text.replace(SEED, str(seed)) for text in (self.path, self.body))
        return Call(method=self.method, path=path, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Somebody's way to serve.

    Attributes:
        name: On the command line and in the table.
        title: With what it stands for.
        requirements: What pip installs into its environment, beside torch.
        words: What its interpreter is called with; {port} stands for the port, {workers} for
            their number.
        posts_to: The path that is asked with JSON; empty: `GET /cats`.
        is_one_process: Whether it has no workers whose number could be chosen.
        variables: Added to its environment.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    words: tuple[str, ...]
    posts_to: str = ""
    is_one_process: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, interpreter: Path, told: Instructions) -> list[str]:
        """Return the command that starts it."""
        values = {"port": told.port, "workers": told.workers}
        return [str(interpreter), *(word.format(**values) for word in self.words)]

    def call(self, case: Case) -> Call:
        """Return the request that asks for a case."""
        if not self.posts_to:
            return Call(path=f"/cats?seed={SEED}&n={case.images}&format={case.format}")
        body = f'{{"seed": {SEED}, "n": {case.images}, "format": "{case.format}"}}'
        return Call(method="POST", path=self.posts_to, body=body)


def _own_requirements() -> tuple[str, ...]:
    """Return Cattery's own, but for torch, and what installs Cattery itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = [each for each in project["dependencies"] if not each.startswith("torch==")]
    return (*own, "setuptools>=77", "wheel")


CATTERY = Contender(
    name="cattery",
    title="Cattery",
    requirements=_own_requirements(),
    # -P: nothing of the folder it is started in is imported.
    words=("-P", "-m", "app.cli", "serve", "--port", "{port}"),
    is_one_process=True,
)

_SERVERS = "benchmarks.serving.servers"

CONTENDERS: Mapping[str, Contender] = {
    each.name: each
    for each in (
        CATTERY,
        Contender(
            name="litserve",
            title="LitServe",
            requirements=("litserve==0.2.19",),
            words=("-m", f"{_SERVERS}.lit"),
            posts_to="/predict",
        ),
        Contender(
            name="bentoml",
            title="BentoML",
            requirements=("bentoml==1.4.40",),
            words=("-m", "bentoml", "serve", f"{_SERVERS}.bento:Cats", "--port", "{port}"),
            posts_to="/cats",
            variables={"BENTOML_DO_NOT_TRACK": "True"},
        ),
        Contender(
            name="ray",
            title="Ray Serve",
            requirements=("ray[serve]==2.60.0",),
            words=("-m", f"{_SERVERS}.ray_serve"),
            variables={"RAY_USAGE_STATS_ENABLED": "0"},
        ),
        Contender(
            name="fastapi",
            title="FastAPI with a thread pool",
            requirements=("fastapi==0.165.0", "uvicorn[standard]==0.54.0"),
            words=("-m", f"{_SERVERS}.plain"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender with its number of workers: a row of the table."""

    contender: Contender
    workers: int

    @property
    def name(self) -> str:
        """As on the command line: `litserve:2`."""
        return f"{self.contender.name}:{self.workers}" if self.workers > 1 else self.contender.name

    @property
    def title(self) -> str:
        """As in the table."""
        suffix = f", {self.workers} workers" if self.workers > 1 else ""
        return self.contender.title + suffix


def entry_of(text: str) -> Entry:
    """Return the entry that a word such as `litserve` or `litserve:4` means.

    Ends the command if there is no such contender.
    """
    name, _, workers = text.partition(":")
    count = int(workers or 1) if (workers or "1").isdecimal() else 0
    contender = CONTENDERS.get(name)
    if contender is None or not count or (contender.is_one_process and count > 1):
        sys.exit(
            f"There is no contender {text}; there are {', '.join(CONTENDERS)}, "
            "all but cattery also with :WORKERS."
        )
    return Entry(contender, count)


def entries_for(cores: int) -> list[Entry]:
    """Return all contenders, each with one worker and with one a core, eight at most."""
    many = min(cores, 8)
    return [
        Entry(each, workers)
        for each in CONTENDERS.values()
        for workers in ((1,) if each.is_one_process or many == 1 else (1, many))
    ]
