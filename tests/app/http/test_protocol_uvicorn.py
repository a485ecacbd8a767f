"""The insides of uvicorn that app.http.protocol relies upon; why its minor version is pinned."""

import inspect

import pytest
from httptools import HttpParserCallbackError, HttpParserError
from uvicorn import Config, Server
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

OVERRIDDEN = (
    "connection_made(self, transport)",
    "connection_lost(self, exc)",
    "data_received(self, data)",
    "on_headers_complete(self)",
    "on_body(self, body)",
    "on_message_complete(self)",
    "resume_writing(self)",
    "send_400_response(self, msg)",
    "_start_asgi_task(self, cycle, app)",
)
PROTOCOL = {"connections", "cycle", "flow", "headers", "loop", "pipeline", "scope"}
PROTOCOL |= {"server_state", "transport"}
CYCLE = {"disconnected", "message_event", "response_complete", "response_started"}
CYCLE |= {"waiting_for_100_continue"}


def attributes_of(cls):
    """Return the names that a class's constructor reads and sets."""
    return set(cls.__init__.__code__.co_names)


@pytest.mark.parametrize("signature", OVERRIDDEN)
def test_uvicorn_has_the_methods_that_are_overridden(signature):
    """An override of what uvicorn no longer calls would silently do nothing."""
    name = signature.partition("(")[0]
    parameters = inspect.signature(getattr(HttpToolsProtocol, name)).parameters
    assert f"{name}({', '.join(parameters)})" == signature


def test_uvicorn_has_the_state_that_is_read_and_set():
    """The protocol's, the request's, the flow control's and the server's."""
    assert attributes_of(HttpToolsProtocol) >= PROTOCOL
    assert attributes_of(RequestResponseCycle) >= CYCLE
    assert "read_paused" in attributes_of(FlowControl)
    assert callable(FlowControl.resume_reading)
    assert attributes_of(ServerState) >= {"connections", "default_headers"}
    assert STATUS_LINE[408] == b"HTTP/1.1 408 Request Timeout\r\n"


def test_an_error_in_a_callback_is_a_failure_to_parse():
    """So that raising one refuses a request."""
    assert issubclass(HttpParserCallbackError, HttpParserError)


def test_uvicorn_has_what_the_command_overrides():
    """`app.cli.serve` hooks into the start, the signals and the shutdown of the server."""
    assert {"startup", "handle_exit", "shutdown", "run"} <= set(vars(Server))
    options = inspect.signature(Config).parameters
    assert {"timeout_keep_alive", "timeout_graceful_shutdown"} <= set(options)
