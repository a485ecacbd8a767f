"""The tree of commands, and the exit status of errors."""

import os
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Annotated

import typer

from app.cli.compare import compare
from app.cli.console import print_error
from app.cli.dataset import dataset_commands
from app.cli.doctor import doctor
from app.cli.evaluate import evaluate
from app.cli.generate import generate
from app.cli.jobs import job_commands
from app.cli.keys import key_commands
from app.cli.models import model_commands
from app.cli.recipes import recipes
from app.cli.serve import serve
from app.cli.train import train
from app.cli.walk import walk
from app.cli.worker import worker
from models.cores import cpu_quota
from models.errors import CatteryError

commands = typer.Typer(
    name="cattery",
    help="Train cat generators and serve their pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (serve, worker, train, recipes, compare, generate, walk, evaluate, doctor):
    commands.command()(_command)
commands.add_typer(dataset_commands, name="dataset")
commands.add_typer(job_commands, name="jobs")
commands.add_typer(key_commands, name="keys")
commands.add_typer(model_commands, name="models")


def _show_version(asked: bool) -> None:
    if asked:
        print(f"cattery {version('cattery')}")
        raise typer.Exit


@commands.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train cat generators and serve their pictures."""


def main() -> None:
    """Run `cattery`."""
    # torch knows no quota of a container. Before anything imports it, and for child processes.
    if quota := cpu_quota():
        os.environ.setdefault("OMP_NUM_THREADS", str(quota))  # noqa: TID251 - for torch
    run(commands)


def run(program: Callable[[], object]) -> None:
    """Run a command line; exit 1 with one line for an expected error, 2 for wrong usage."""
    try:
        program()
    except CatteryError as err:
        print_error(str(err))
        sys.exit(1)
    except OSError as err:
        if not err.filename:  # not about a file that someone named
            raise
        print_error(f"{err.filename}: {err.strerror}.")
        sys.exit(1)
    except ValueError as err:  # pydantic's errors are ValueErrors; importing it here costs 0.1 s
        lines = _settings_errors(err)
        if not lines:
            raise
        for line in lines:
            print_error(line)
        sys.exit(1)


def _settings_errors(err: ValueError) -> list[str]:
    """Return a line per invalid setting; none if the error is not about settings."""
    from pydantic import ValidationError

    # By name: pydantic's error does not carry the class that it is about.
    if not isinstance(err, ValidationError) or not err.title.endswith("Settings"):
        return []
    return [_settings_line(e["loc"], e["input"], e["msg"]) for e in err.errors()]


def _settings_line(loc: Iterable[object], value: object, message: str) -> str:
    """Return the line for an invalid setting; values that may hold a secret are left out."""
    from worker.protocol import SECRETS

    name = f"CATTERY_{'_'.join(map(str, loc)).upper()}"
    is_secret = name in SECRETS
    shown = "invalid" if is_secret else repr(value)
    return f"{name} is {shown}: {message.removeprefix('Value error, ')}."
