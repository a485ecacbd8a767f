"""`cattery worker`: a worker in the foreground; any number of machines may run one."""

import os
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
    _without_key()
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


def _without_key() -> None:
    """Start over without the front end's key, if it is in the environment of this process."""
    from worker.protocol import without_key

    # Deleting the variable would leave it in /proc/PID/environ, which shows what a process was
    # started with. An environment file is often shared with the front end.
    environment = dict(os.environ)  # noqa: TID251 - handed on
    if (clean := without_key(environment)) != environment:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], clean)  # noqa: S606
