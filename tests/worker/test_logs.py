"""Tests of worker.logs."""

import asyncio
import json
import logging
import re
import threading
from contextvars import Context

import pytest

from worker.logs import JsonFormatter, Subject, TextFormatter, about, job_id, request_id
from worker.protocol import SharedSettings


def line(formatter: logging.Formatter, subject: Subject, text: str = "text", **more) -> str:
    record = logging.LogRecord("worker.jobs", logging.INFO, "path", 1, text, None, None)
    record.__dict__.update(more)
    assert subject.filter(record)
    return formatter.format(record)


def told() -> tuple[str, str]:
    """Return the request and the job of a line that is logged now."""
    fields = json.loads(line(JsonFormatter(), Subject()))
    return fields["request_id"], fields["job_id"]


async def test_lines_of_the_log_have_the_id_of_their_request():
    """Of requests at the same time each has its own, in threads as well."""

    async def request(name: str) -> tuple[object, object]:
        request_id.set(name)
        await asyncio.sleep(0)
        return told(), await asyncio.to_thread(told)

    answers = await asyncio.gather(*[asyncio.create_task(request(name)) for name in "abc"])
    assert answers == [(("a", "-"), ("a", "-")), (("b", "-"), ("b", "-")), (("c", "-"), ("c", "-"))]


def test_outside_of_requests_and_jobs_there_is_none():
    assert Context().run(told) == ("-", "-")


def test_within_a_block_lines_are_about_a_job_and_its_request():
    def work() -> None:
        with about("job-1", "request-1"):
            assert told() == ("request-1", "job-1")
            with about("job-2"):
                assert told() == ("request-1", "job-2")
        assert (job_id.get(), request_id.get()) == ("", "")

    Context().run(work)


@pytest.mark.parametrize(("level", "passes"), [(logging.INFO, False), (logging.WARNING, True)])
def test_libraries_only_warn(level, passes):
    record = logging.LogRecord("rq.worker", level, "path", 1, "text", None, None)
    assert Subject().filter(record) is passes


def test_every_thread_of_a_job_process_names_its_job():
    """The threads that renew the lease and report vitals have no context of their own."""
    lines = []
    subject = Subject("job-1", "request-1")
    thread = threading.Thread(target=lambda: lines.append(line(TextFormatter(), subject)))
    thread.start()
    thread.join()
    pattern = r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z INFO worker\.jobs \[request-1 job-1\]: text"
    assert re.fullmatch(pattern, lines[0])


def test_a_json_line_is_one_line_with_the_traceback_in_it():
    try:
        int("a\nb")
    except ValueError as err:
        raised = (ValueError, err, err.__traceback__)
    text = line(JsonFormatter(), Subject(), "two\nlines, café", exc_info=raised)
    fields = json.loads(text)
    assert "\n" not in text
    assert fields["message"] == "two\nlines, café"
    assert (fields["level"], fields["logger"]) == ("INFO", "worker.jobs")
    assert fields["exception"].startswith("Traceback")
    assert "ValueError: invalid literal" in fields["exception"]


@pytest.mark.parametrize(("name", "value"), [("log_format", "yaml"), ("log_level", "LOUD")])
def test_other_formats_and_levels_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        SharedSettings(**{name: value})
