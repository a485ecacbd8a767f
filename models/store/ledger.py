"""A job's record and history as one truth: nothing changes in the one without the other.

`job.json` holds the record and the job's last event, `events.jsonl` the events before that one.
A change first moves the last event to the log, where it may be twice after a failure, and then
replaces `job.json`. Only that replacement counts, and it is atomic: whatever fails or dies at
whatever moment, readers see the job before the change or after it.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from models.errors import LeaseLost, StoreError
from models.store.events import EventLog, from_line
from models.store.names import timestamp
from models.store.records import Event, JobRecord, Json
from models.store.serialization import loads, to_json
from models.store.tree import Tree


@dataclass(frozen=True, slots=True)
class Entry:
    """A job's record, and the event that made it what it is; None in older stores."""

    record: JobRecord
    event: Event | None


class Ledger:
    """The record and history of one job.

    Args:
        tree: The store's.
        job: A valid job id.
    """

    def __init__(self, tree: Tree, job: str) -> None:
        self._tree, self._job = tree, job
        self._log = EventLog(tree, job_path(job, "events.jsonl"))

    def create(self, record: JobRecord) -> tuple[JobRecord, bool]:
        """Write a new job down; return its record, and whether it is new."""
        event = Event(id=1, type="queued", at=record.created_at, data={})
        first = replace(record, events=event.id)
        return first, self._tree.create(job_path(self._job, "order.json"), _dumps(first, event))

    def read(self) -> Entry | None:
        """Return the job as it is now, or None if there is none; StoreError if it is damaged."""
        try:
            path = job_path(self._job, "job.json")
            return _parse(path, self._tree.read(path))
        except FileNotFoundError:
            pass  # nothing has changed it yet, or it was deleted
        try:
            path = job_path(self._job, "order.json")
            born = _parse(path, self._tree.read(path))
        except FileNotFoundError:
            return None
        return None if self._tree.exists(job_path(self._job, "gone.json")) else born

    def change(self, seen: JobRecord, kind: str, data: Json, /, **changes: Any) -> JobRecord:
        """Change the record and add an event to the history, in one atomic step.

        Args:
            seen: The record as the caller has last read or written it.
            kind: The event's type, one word.
            data: The event's.
            **changes: Fields of the record.

        Returns:
            The record as it is now.

        Raises:
            LeaseLost: Another process has changed, ended or deleted the job since.
            StoreError: The store failed; nothing has changed.
        """
        with self._tree.lock(f"jobs/{self._job}"):
            now = self.read()
            if now is None or now.record.events != seen.events or now.record.status.has_ended:
                raise LeaseLost(self._job)
            if now.event is not None:
                self._log.append(now.event)
            number = 1 + (now.event.id if now.event else self._last_logged())
            event = Event(id=number, type=kind, at=timestamp(), data=data)
            record = replace(seen, **changes, events=number)
            self._tree.write(job_path(self._job, "job.json"), _dumps(record, event))
        return record

    def history(self, after: int = 0) -> list[Event]:
        """Return the events with a higher id than `after`; none if there is no such job."""
        # The record first: by the time that the log is read, it holds all events before that one.
        now = self.read()
        events = self._log.read(after)
        if now is None or now.event is None:
            return events if now else []
        return [event for event in events if event.id < now.event.id] + (
            [now.event] if now.event.id > after else []
        )

    def _last_logged(self) -> int:
        return max((event.id for event in self._log.read()), default=0)


def job_path(job: str, name: str) -> str:
    """Return the path of a job's file."""
    return f"jobs/{job}/{name}"


def _dumps(record: JobRecord, event: Event) -> bytes:
    fields = {**to_json(record), "event": to_json(event)}
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def _parse(path: str, raw: bytes) -> Entry:
    try:
        record, event = loads(JobRecord, raw), json.loads(raw).get("event")
        return Entry(record, from_line(event) if event else None)
    except (StoreError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise StoreError(f"{path}: {err}", "Restore the file or delete its folder.") from err
