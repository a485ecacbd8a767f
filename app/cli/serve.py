"""`cattery serve`: the API, a worker and an embedded Valkey under one foreground command."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say
from app.cli.locks import StartError, address_of, claimed, listening_socket
from app.cli.supervisor import Child, Queue, Supervisor, Worker

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from app.settings import AppSettings
    from models.store import Store

GRACE_S = 10
"""How long open requests may go on after Ctrl-C, seconds."""

KEEP_ALIVE_S = 75
"""How long an idle connection is kept, seconds: longer than proxies do (nginx: 60), which must be
the first to close, or they would send a request into a connection that is just being closed."""

AT_A_TIME = 16
"""New connections that are let in between two rounds of answers."""


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, instead of CATTERY_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="TCP port, instead of CATTERY_PORT; 0: any free one.")
    ] = None,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether a worker runs beside the API.")
    ] = True,
) -> None:
    """Serve cats and train new ones, in the foreground, until Ctrl-C."""
    from app.http.security import check_closed
    from app.settings import AppSettings

    began = time.monotonic()
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    settings = AppSettings(**given)  # type: ignore[arg-type]  # pydantic checks them
    check_closed(settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with stop_signals() as stopping, ExitStack() as stack:
        _serve(settings, stack, stopping, began, with_worker)
    say("Cattery has stopped.")


def _serve(
    settings: "AppSettings",
    stack: ExitStack,
    stopping: threading.Event,
    began: float,
    with_worker: bool,
) -> None:
    """Claim and check everything, then start in order; the stack stops it in reverse order."""
    from models.store import Store

    # Only an embedded queue needs the data folder alone: with a queue that they share, any
    # number of front ends may have the same one.
    claim = stack.enter_context(claimed(settings.data, is_shared=bool(settings.redis_url)))
    listener = stack.enter_context(listening_socket(settings.host, settings.port))
    address = address_of(listener)
    claim.record(address)
    store = Store.open(settings.store_url)
    say(f"Cattery {version('cattery')} is starting on {address} (data: {settings.data}) ...")
    settings, children = _start_children(settings, stack, with_worker)

    def ready() -> None:
        _announce(address, settings, began)

    def leave() -> None:
        say(f"Shutting down: {', '.join(['requests', *reversed(children)])} ...")

    if stopping.is_set():
        leave()
        return
    say("Loading generators ...")
    run_api(_api(settings, store), listener, stopping, ready, leave)


def _start_children(
    settings: "AppSettings", stack: ExitStack, with_worker: bool
) -> "tuple[AppSettings, list[str]]":
    """Start Valkey, unless a Redis was named, and the worker.

    Returns:
        Settings that know the queue's URL, and the names of what was started, in order.
    """
    from worker.settings import WorkerSettings

    queue = None if settings.redis_url else Queue(settings.data / "valkey")

    def redis_url() -> str:
        return queue.url if queue else settings.redis_url

    children: list[Child] = [queue] if queue else []
    if with_worker:
        # On top of its own limit: it saves its job's state first.
        children.append(Worker(redis_url, WorkerSettings().shutdown_s + 10.0))
    supervisor = Supervisor(children, say)
    supervisor.start()
    stack.callback(supervisor.stop)
    known = settings.model_copy(update={"redis_url": redis_url()})
    return known, [child.name for child in children]


def _api(settings: "AppSettings", store: "Store") -> "FastAPI":
    from app.main import create_app  # only now: it takes a second, and the worker starts meanwhile

    return create_app(settings, store=store)


def run_api(
    api: "FastAPI",
    listener: "socket.socket",
    stopping: threading.Event,
    ready: Callable[[], None],
    leave: Callable[[], None],
) -> None:
    """Serve until a signal comes.

    Args:
        api: What to serve.
        listener: Where.
        stopping: Set by a signal that came before.
        ready: Called when it serves.
        leave: Called when it begins to shut down.

    Raises:
        StartError: Its lifespan failed to begin.
    """
    import uvicorn

    from app.cli.gc_tuning import share_often, spare_what_stays
    from app.http.protocol import protocol_class

    share_often()

    class Server(uvicorn.Server):
        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            spare_what_stays()
            # A signal may have come before uvicorn listened to signals.
            self.should_exit = self.should_exit or stopping.is_set()
            if not self.should_exit:
                ready()

        async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
            leave()
            api.state.stopping.set()  # who follows a job's events would never hang up
            await super().shutdown(sockets)

    config = uvicorn.Config(
        api,
        loop="uvloop",
        http=protocol_class(api.state.settings, api.state.telemetry),
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    try:
        Server(config).run(sockets=doors_of(listener))
    except SystemExit as err:  # uvicorn's word for a lifespan that failed; it has logged why
        raise StartError("The API did not start.", "The log above says why.") from err


def doors_of(listener: "socket.socket") -> "list[socket.socket]":
    """Return a listening socket, and the same one again and again.

    libuv accepts a single connection of each in a round of the event loop (since 1.45). A round
    in which hundreds of requests are answered takes long, and whoever is new, a health check
    for example, would wait for as many rounds as others came before.
    """
    return [listener, *(listener.dup() for _ in range(AT_A_TIME - 1))]


def _announce(address: str, settings: "AppSettings", began: float) -> None:
    say(f"Ready after {time.monotonic() - began:.1f} s: {address}")
    say(f"Try:  curl -o cats.png '{address}/cats?model={settings.default_model}&n=16'")
    say("Press Ctrl-C to stop.")


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn the signals that stop a service into an event, from start to end.

    A flag and no exception: an exception could come between a child's start and the line that
    remembers it. While uvicorn runs it has handlers of its own and raises the signal again after.
    """
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)  # a closed terminal ends as tidily

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, stop),
        signal.SIGTERM: signal.signal(signal.SIGTERM, stop),
        signal.SIGHUP: signal.signal(signal.SIGHUP, hang_up),
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
