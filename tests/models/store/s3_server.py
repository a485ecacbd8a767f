"""An S3 server of moto's on a local port, whose faults a test can choose."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "cats"

Start = Callable[..., Any]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class S3Server:
    """Serves until it is closed.

    Attributes:
        ignored: Request headers, such as "If-Match", that it takes no notice of.
        refusals: How many conditional writes it answers with 409 without looking.
        lost_answers: How many writes it carries out, and then answers with 500.
    """

    def __init__(self) -> None:
        self.ignored: tuple[str, ...] = ()
        self.refusals = 0
        self.lost_answers = 0
        self._app = DomainDispatcherApplication(create_backend_app)
        # One request at a time: moto compares and writes in two steps.
        self._server = make_server("127.0.0.1", 0, self._answer, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        conditions = {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"} & environ.keys()
        if environ["REQUEST_METHOD"] == "PUT" and conditions and self.refusals:
            self.refusals -= 1
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            return _error(start, "409 Conflict", "ConditionalRequestConflict")
        for name in self.ignored:
            environ.pop(f"HTTP_{name.upper().replace('-', '_')}", None)
        answer: Iterable[bytes] = self._app(environ, start)
        if environ["REQUEST_METHOD"] == "PUT" and conditions and self.lost_answers:
            self.lost_answers -= 1
            return _error(start, "500 Internal Server Error", "InternalError")
        return answer


def _error(start: Start, status: str, code: str) -> list[bytes]:
    body = f"<Error><Code>{code}</Code><Message>chosen by a test</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]
