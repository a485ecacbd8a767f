"""What the commands print: lines for people on stderr, results on stdout."""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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


def say(text: str) -> None:
    """Print a line on stderr: what is going on, which is not the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def complain(text: str) -> None:
    """Print one line on stderr that says what is wrong."""
    line = " ".join(text.split())
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]Error:[/] {escape(line)}"
    )


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table on stdout, an empty cell for None."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    # Programs read what goes into a pipe: nothing is folded to a screen's width there.
    Console(highlight=False, width=None if sys.stdout.isatty() else 1000).print(table)


def counting_bar() -> Progress:
    """Return a bar for things that are counted, on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def training_bar() -> Progress:
    """Return a bar for a training job, whose task has a field `status`, on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=Console(stderr=True),
    )


def show_record(record: object) -> None:
    """Print a record on stdout as indented JSON."""
    from models.store.serialization import dumps

    print(dumps(record).decode(), end="")


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C (or SIGTERM) ask for an end; the second one ends at once.

    Yields:
        A function that says whether an end was asked for.
    """
    asked = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)])
        say("Ending in an orderly way; once more ends at once ...")

    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    for s in before:
        signal.signal(s, ask)
    try:
        yield asked.is_set
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
