"""`cattery worker`: one worker in the foreground, on as many machines as you have."""

import signal
import sys
from typing import Annotated

import typer


def worker(
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="End with the process of this id.")
    ] = None,
) -> None:
    """Take jobs from the queue and run them, one after another."""
    from worker.main import main
    from worker.parent_watch import signal_on_parents_death, watch_parent
    from worker.settings import WorkerSettings

    if parent is not None:
        # SIGKILL: with the parent its queue has gone, so there is nothing to end tidily with,
        # and every file is written so that a kill harms none.
        signal_on_parents_death(parent, signal.SIGKILL)
        watch_parent(parent)
    sys.exit(main(WorkerSettings()))
