"""`cattery worker`: a worker in the foreground; any number of machines may run one."""

import signal
import sys
from typing import Annotated

import typer

from app.cli.settings import check_device, read_settings


def worker(
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="Exit together with this process.")
    ] = None,
) -> None:
    """Run jobs from the queue, one at a time, until Ctrl-C."""
    from worker.main import main
    from worker.parent_watch import signal_on_parents_death, watch_parent
    from worker.settings import WorkerSettings

    if parent is not None:
        # SIGKILL: its queue died with the parent, so a clean shutdown would only wait for it.
        # Files are written atomically, so that a kill damages none.
        signal_on_parents_death(parent, signal.SIGKILL)
        watch_parent(parent)
    settings = read_settings(WorkerSettings)
    check_device(settings.device)
    sys.exit(main(settings))
