"""Tests of app.cli.serve; tests/integration runs the whole of it."""

import asyncio
import gc
import signal
import socket
import sys
from contextlib import asynccontextmanager

import pytest
import uvloop
from fastapi import FastAPI

from app.cli.serve import ACCEPTS_PER_ROUND, SWITCH_INTERVAL_S, listeners_of, run_api, stop_signals
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from models.errors import StoreError

ROUNDS = 4


@pytest.fixture
def interpreter():
    """Leave the interpreter as it was."""
    gc.unfreeze()
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)
    gc.unfreeze()


def test_a_crowd_comes_in_at_once():
    """Sixteen clients who wait at the door are let in within a few rounds of the event loop."""

    async def met(listener) -> int:
        met = []

        class Host(asyncio.Protocol):
            def connection_made(self, transport):
                met.append(transport)

        loop, address = asyncio.get_running_loop(), listener.getsockname()
        servers = [await loop.create_server(Host, sock=door) for door in listeners_of(listener)]
        waiting = [socket.create_connection(address) for _ in range(ACCEPTS_PER_ROUND)]
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        count = len(met)
        for each in [*met, *servers, *waiting]:
            each.close()
        return count

    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        assert runner.run(met(listener)) == ACCEPTS_PER_ROUND


@pytest.mark.usefixtures("interpreter")
def test_a_front_end_shares_the_interpreter_out_and_spares_what_stays():
    """Its threads hand on often, and the garbage collector passes over what came with it."""
    api = FastAPI()
    api.state.settings, api.state.telemetry = AppSettings(), Telemetry()
    api.state.stopping = asyncio.Event()
    spared, left = [], []

    def ready():
        spared.append(gc.get_freeze_count())
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)

    with stop_signals() as stopping, socket.create_server(("127.0.0.1", 0)) as listener:
        run_api(api, listener, stopping, ready, lambda: left.append(stopping.is_set()))
        assert stopping.is_set()
    assert spared[0] > 0
    assert left == [False]
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)


@pytest.mark.usefixtures("interpreter")
def test_a_service_that_cannot_start_says_why_without_a_traceback(caplog):
    """The error comes out as it is, for the one line that the command prints."""

    @asynccontextmanager
    async def broken(_app):
        raise StoreError("The store is away.")
        yield

    api = FastAPI(lifespan=broken)
    api.state.settings, api.state.telemetry = AppSettings(), Telemetry()
    with (
        stop_signals() as stopping,
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(StoreError, match="is away"),
    ):
        run_api(api, listener, stopping, lambda: None, lambda: None)
    assert caplog.text == ""
