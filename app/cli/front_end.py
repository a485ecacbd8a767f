"""`cattery front-end`: one of several front ends of a machine. Hidden: `serve` starts it."""

import logging
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer


def front_end(
    sockets: Annotated[Path, typer.Option(help="Folder of the service's sockets.")],
    number: Annotated[int, typer.Option(help="Which of them it is, from 0.")],
    listener: Annotated[int, typer.Option(help="Descriptor of the socket to accept at.")],
    parent: Annotated[int, typer.Option(help="End with the process of this id.")],
) -> None:
    """Answer HTTP; pictures are rendered in the engine host."""
    from app.cli.serve import run_api, stop_signals
    from app.hosting.siblings import Sibling
    from app.main import create_app
    from app.settings import AppSettings
    from worker.parent_watch import signal_on_parents_death, watch_parent

    # SIGKILL: with the parent all that it answers from has gone.
    signal_on_parents_death(parent, signal.SIGKILL)
    watch_parent(parent)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = AppSettings()
    # A machine's memory for cats is shared out: each front end has a cache of its own.
    cache_bytes = settings.cache_bytes // settings.processes
    settings = settings.model_copy(update={"cache_bytes": cache_bytes})
    sibling = Sibling(sockets, number, settings.deadline_s)
    with stop_signals() as stopping, socket.socket(fileno=listener) as accepting:
        api = create_app(settings, sibling=sibling)
        run_api(api, accepting, stopping, lambda: None, sibling.give_up)
