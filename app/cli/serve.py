"""`cattery serve`: the API, a worker and an embedded Valkey under one foreground command."""

import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say
from app.cli.locks import address_of, claimed, listening_socket
from app.cli.settings import check_device, read_settings
from app.cli.supervisor import Child, Supervisor, Worker

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from app.settings import AppSettings

log = logging.getLogger(__name__)

GRACE_S = 10
"""Time for open requests to finish after Ctrl-C, seconds."""

# Longer than a proxy's (nginx: 60). If we closed first, the proxy could send a request into a
# connection that is just being closed.
KEEP_ALIVE_S = 75
"""How long an idle connection is kept, seconds."""

ACCEPTS_PER_ROUND = 16
"""New connections accepted in one iteration of the event loop."""

# Python's default is ten times as long. Render threads need the interpreter for microseconds
# between two layers, the event loop between two batches.
SWITCH_INTERVAL_S = 0.0005
"""How long a thread may hold the interpreter while others wait for it, seconds."""


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; overrides CATTERY_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="TCP port, 0 for any; overrides CATTERY_PORT."),
    ] = None,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether to start a worker as well.")
    ] = True,
) -> None:
    """Run the service, its worker and its queue in the foreground until Ctrl-C."""
    from app.http.keys import check_closed
    from app.settings import AppSettings
    from worker.logs import log_to_stderr

    began = time.monotonic()
    settings = read_settings(AppSettings, host=host, port=port)
    check_closed(settings)
    log_to_stderr(settings)
    # Messages for whoever sits at the terminal are lines of the log for programs that read it.
    tell = say if settings.log_format == "text" else log.info
    with stop_signals() as stopping, ExitStack() as stack:
        _serve(settings, stack, stopping, began, with_worker, tell)
    tell("Cattery has stopped.")


def _serve(
    settings: "AppSettings",
    stack: ExitStack,
    stopping: threading.Event,
    began: float,
    with_worker: bool,
    tell: Callable[[str], None],
) -> None:
    """Acquire what the service needs, then start everything; the stack stops it in reverse."""
    from models.store import Store

    # An embedded queue needs the data folder to itself; front ends with a common queue share it.
    claim = stack.enter_context(claimed(settings.data, is_shared=bool(settings.redis_url)))
    listener = stack.enter_context(listening_socket(settings.host, settings.port))
    address = address_of(listener)
    claim.record(address)
    store = Store.open(settings.store_url)
    tell(f"Cattery {version('cattery')} is starting on {address} (data: {settings.data}) ...")
    settings, children, queue_note = _start_children(settings, stack, with_worker, tell)

    def ready() -> None:
        _announce(address, settings, began, tell)

    def leave() -> None:
        tell(f"Shutting down: {', '.join(['requests', *reversed(children)])} ...")

    if stopping.is_set():
        leave()
        return
    tell("Loading generators ...")
    from app.main import create_app  # only now: it takes a second, and the worker starts meanwhile

    check_device(settings.device)
    api = create_app(settings, store=store, queue_note=queue_note)
    run_api(api, listener, stopping, ready, leave)


def _start_children(
    settings: "AppSettings", stack: ExitStack, with_worker: bool, tell: Callable[[str], None]
) -> "tuple[AppSettings, list[str], Callable[[], str]]":
    """Start the worker and, unless a Redis is configured, Valkey.

    Returns:
        The settings with the queue's URL, the names of the children in order of start, and what
        returns the queue's note for operators.
    """
    from worker.settings import WorkerSettings
    from worker.valkey import EmbeddedValkey

    queue = None if settings.redis_url else EmbeddedValkey(settings.data / "valkey")

    def redis_url() -> str:
        return queue.url if queue else settings.redis_url

    children: list[Child] = [queue] if queue else []
    if with_worker:
        # Longer than its own limit, within which it saves the state of its job.
        children.append(Worker(redis_url, read_settings(WorkerSettings).shutdown_s + 10.0))
    supervisor = Supervisor(children, tell)
    supervisor.start()
    stack.callback(supervisor.stop)
    known = settings.model_copy(update={"redis_url": redis_url()})
    return known, [child.name for child in children], lambda: queue.note if queue else ""


def run_api(
    api: "FastAPI",
    listener: "socket.socket",
    stopping: threading.Event,
    ready: Callable[[], None],
    leave: Callable[[], None],
) -> None:
    """Run the app until a signal comes.

    Args:
        api: The app.
        listener: Its listening socket.
        stopping: Set if a signal has already come.
        ready: Called when the app accepts requests.
        leave: Called when shutdown begins.

    Raises:
        CatteryError: The app did not start.
    """
    import uvicorn

    from app.http.protocol import protocol_class

    sys.setswitchinterval(SWITCH_INTERVAL_S)

    class Server(uvicorn.Server):
        async def serve(self, sockets: "list[socket.socket] | None" = None) -> None:
            # Here, and not in uvicorn, which would log an expected error with its traceback.
            async with api.router.lifespan_context(api):
                await super().serve(sockets or listeners_of(listener))

        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            # PyTorch and the framework are hundreds of thousands of objects that stay to the end;
            # each full collection would halt everything for a tenth of a second.
            gc.collect()
            gc.freeze()
            # A signal may have come before uvicorn installed its handlers.
            self.should_exit = self.should_exit or stopping.is_set()
            if not self.should_exit:
                ready()

        async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
            leave()
            api.state.stopping.set()  # or event streams would keep their connections open
            await super().shutdown(sockets)

    config = uvicorn.Config(
        api,
        loop="uvloop",
        http=protocol_class(api.state.settings, api.state.telemetry),
        ws="none",
        lifespan="off",  # see Server.serve
        log_config=None,  # its lines have the format of ours
        access_log=False,
        server_header=False,
        forwarded_allow_ips=api.state.settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config).run()


def listeners_of(listener: "socket.socket") -> "list[socket.socket]":
    """Return a listening socket and duplicates of it, for the event loop to accept from each."""
    # libuv accepts one connection per socket in an iteration of the loop (since 1.45). Under load
    # an iteration takes long, and a health check would wait one for each connection before it.
    return [listener, *(listener.dup() for _ in range(ACCEPTS_PER_ROUND - 1))]


def _announce(
    address: str, settings: "AppSettings", began: float, tell: Callable[[str], None]
) -> None:
    tell(f"Ready after {time.monotonic() - began:.1f} s: {address}")
    tell(f"Try:  curl -o cats.png '{address}/cats?model={settings.default_model}&n=16'")
    tell("Press Ctrl-C to stop.")


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn the signals that stop a service into an event; handlers are restored at the end."""
    # Not an exception: it could strike between a child's start and the line that registers it.
    # While uvicorn runs, it has handlers of its own, and raises the signal again afterwards.
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)  # a closed terminal stops it as cleanly

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
