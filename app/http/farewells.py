"""What a client is told when its connection ends: a whole answer on the wire, without the app."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.problems.errors import Busy, Kind, document_of, problem_response, response_of


def too_late(what: str, limit: str, setting: str) -> Response:
    """Return a 408: something of the request did not come in time.

    Args:
        what: The subject of a sentence.
        limit: How it should have come.
        setting: The setting that says so.
    """
    return _problem(
        HTTPStatus.REQUEST_TIMEOUT,
        f"{what} did not come {limit}.",
        f"Send faster, or raise the setting {setting}.",
    )


def too_long(limit_bytes: int) -> Response:
    """Return a 431: the headers are over their limit, bytes."""
    return _problem(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"The headers are larger than {limit_bytes} bytes.",
        "Send less, or raise the setting CATTERY_MAX_HEADER_BYTES.",
    )


def no_http() -> Response:
    """Return a 400: what came is not HTTP/1.1."""
    return _problem(
        HTTPStatus.BAD_REQUEST, "What came is no valid HTTP/1.1 request.", "Send one that is."
    )


def no_trailers() -> Response:
    """Return a 400: headers came behind a body."""
    return _problem(
        HTTPStatus.BAD_REQUEST, "Trailers are not taken.", "Send them as headers, before the body."
    )


def no_place(most: int, retry_after_s: int) -> Response:
    """Return a 503: so many connections are in use already."""
    return problem_response(Busy(f"All {most} connections are in use.", retry_after_s))


def wire(response: Response, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an answer as it is sent.

    Args:
        response: The answer.
        headers: Those of every answer, such as the date.
    """
    lines = [*headers, *response.raw_headers, (b"connection", b"close")]
    head = b"".join(b"%s: %s\r\n" % line for line in lines)
    return STATUS_LINE[response.status_code] + head + b"\r\n" + bytes(response.body)


def _problem(status: HTTPStatus, detail: str, remedy: str) -> Response:
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    return response_of(document_of(kind, detail, remedy), {"Cache-Control": "no-store"})
