"""Lines of the log, alike in all processes: time, level, logger, request and job.

A request's id goes with the job that it submitted, through the job's record and the queue into the
worker and the job process, whose lines have it as well.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from worker.protocol import SharedSettings

NOTHING = "-"
OURS = ("app", "worker", "models")
TEXT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s %(job_id)s]: %(message)s"

# What follows a request, or work on a job, through tasks and threads; each has its own value.
request_id: ContextVar[str] = ContextVar("request_id", default="")
job_id: ContextVar[str] = ContextVar("job_id", default="")


class Subject(logging.Filter):
    """Adds `request_id` and `job_id` to every record, "-" where there is none.

    What libraries say below a warning is left out: RQ sets the level of its logger by itself.

    Args:
        job: Of all lines of this process that are not about another one.
        request: Likewise.
    """

    def __init__(self, job: str = "", request: str = "") -> None:
        super().__init__()
        self._job, self._request = job, request

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is ours, or at least a warning."""
        record.job_id = job_id.get() or self._job or NOTHING
        record.request_id = request_id.get() or self._request or NOTHING
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OURS


class TextFormatter(logging.Formatter):
    """One line of text, and tracebacks below it; times are UTC."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - logging's signature
        """Return the time as ISO 8601."""
        return _time(record)


class JsonFormatter(logging.Formatter):
    """One JSON object in one line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", NOTHING),
            "job_id": getattr(record, "job_id", NOTHING),
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def log_to_stderr(settings: SharedSettings, job: str = "", request: str = "") -> None:
    """Write the log of this process to stderr from now on.

    Args:
        settings: Have the format and the level. The level is for Cattery; libraries only warn.
        job: Id of the job that this process runs.
        request: Id of the request that submitted that.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    handler.addFilter(Subject(job, request))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level)
    logging.captureWarnings(True)


@contextmanager
def about(job: str, request: str | None = None) -> Iterator[None]:
    """Let the lines that this thread logs within the block name a job, and its request."""
    tokens = (job_id.set(job), request_id.set(request or request_id.get()))
    try:
        yield
    finally:
        job_id.reset(tokens[0])
        request_id.reset(tokens[1])


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
