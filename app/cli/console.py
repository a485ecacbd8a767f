"""Output of the commands: messages on stderr, results on stdout."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from models.errors import InvalidValue


def say(text: str) -> None:
    """Print a message on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def print_error(text: str) -> None:
    """Print an error on stderr, in one line."""
    line = " ".join(text.split())
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]Error:[/] {escape(line)}"
    )


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table on stdout, None as an empty cell."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    # Output into a pipe is read by programs: it is not folded to a screen's width.
    Console(highlight=False, width=None if sys.stdout.isatty() else 1000).print(table)


def counting_bar() -> Progress:
    """Return a progress bar for items, on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar once there is progress.

    Yields:
        A function that takes the number of items done and their total.
    """
    with counting_bar() as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def training_bar() -> Progress:
    """Return a progress bar for a training job, whose task has a field `status`, on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=Console(stderr=True),
    )


def check_parent(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed for it.

    Raises:
        InvalidValue: Its folder does not exist.
    """
    if not path.absolute().parent.is_dir():
        raise InvalidValue("output", str(path), "a file in an existing folder")


def show_record(record: object) -> None:
    """Print a record on stdout as indented JSON."""
    from models.store.serialization import dumps  # here: takes 0.1 s, more than --help

    print(dumps(record).decode(), end="")


def show_json(value: object) -> None:
    """Print plain values on stdout as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a request to stop; the second one stops at once.

    Yields:
        A function that returns whether to stop.
    """
    asked = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.set()
        # Restored at the first signal already: the work may be stuck where it never asks.
        signal.signal(number, impatient[signal.Signals(number)])
        say("Stopping cleanly; press Ctrl-C again to stop at once ...")

    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    # What a script starts in the background inherits an ignored SIGINT, but must hear the second.
    impatient = {s: signal.SIG_DFL if h is signal.SIG_IGN else h for s, h in before.items()}
    for s in before:
        signal.signal(s, ask)
    try:
        yield asked.is_set
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
