"""A job's record and history as one truth: nothing changes in the one without the other.

`job.json` holds the record and the job's last event, `events.jsonl` the events before that one.
A change first moves the last event to the log, where it may be twice after a failure, and then
replaces `job.json`, if that is still what was read. Only that replacement counts, and it is atomic:
whatever fails or dies at whatever moment, readers see the job before the change or after it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from models.errors import BadEntry, LeaseLost, StoreError
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
        self._record = job_path(job, "job.json")
        self._log = EventLog(tree, job_path(job, "events.jsonl"))

    def create(self, record: JobRecord) -> tuple[JobRecord, bool]:
        """Write a new job down; return its record, and whether it is new."""
        event = Event(id=1, type="queued", at=record.created_at, data={})
        first = replace(record, events=event.id)
        return first, self._tree.create(job_path(self._job, "order.json"), _dumps(first, event))

    def read(self) -> Entry | None:
        """Return the job as it is now, or None if there is none; BadEntry if it is damaged."""
        try:
            return self._entry(self._tree.read(self._record))
        except FileNotFoundError:
            return self._entry(None)

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
        record, is_first = seen, False

        def changed(before: bytes | None) -> bytes:
            nonlocal record, is_first
            is_first = before is None
            now = self._entry(before)
            if now is None or now.record.events != seen.events or now.record.status.has_ended:
                raise LeaseLost(self._job)
            if now.event is not None:
                self._log.append(now.event)
            number = 1 + (now.event.id if now.event else self._last_logged())
            event = Event(id=number, type=kind, at=timestamp(), data=data)
            record = replace(seen, **changes, events=number)
            return _dumps(record, event)

        self._tree.update(self._record, changed)
        # Only then: where there was no record yet, "still none" may also mean "deleted by now".
        if is_first and self._is_gone():
            self._tree.delete(self._record)
            raise LeaseLost(self._job)
        return record

    def restore(self, end: Callable[[JobRecord, list[Event]], JobRecord]) -> None:
        """Replace a damaged `job.json`, with which the job's last event is lost.

        Args:
            end: From the job as created and the events that are left to its record, ended.

        Raises:
            FileNotFoundError: `order.json` is missing.
            StoreError: The order or the events cannot be read, or the store failed.
        """
        path = job_path(self._job, "order.json")
        born, events = _parse(path, self._tree.read(path)), self._log.read()
        if not events and born.event is not None:
            events = [born.event]
            self._log.append(born.event)
        record = end(born.record, events)
        last = events[-1] if events else None
        if last is None or last.type != record.status.value:  # older releases logged the end, too
            number = 1 + (last.id if last else 0)
            told: Json = {"reason": record.reason, "version": record.version}
            last = Event(id=number, type=record.status.value, at=timestamp(), data=told)
        self._tree.write(self._record, _dumps(replace(record, events=last.id), last))

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

    def _entry(self, raw: bytes | None) -> Entry | None:
        """Return the job, given the content of `job.json` or None where there is none."""
        if raw is not None:
            return _parse(self._record, raw)
        # Nothing has changed the job yet, or it was deleted.
        path = job_path(self._job, "order.json")
        try:
            born = _parse(path, self._tree.read(path))
        except FileNotFoundError:
            return None
        return None if self._is_gone() else born

    def _is_gone(self) -> bool:
        return self._tree.exists(job_path(self._job, "gone.json"))

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
    except StoreError as err:
        raise BadEntry(path, f"{path}: {err.detail}") from err
    except (KeyError, TypeError, AttributeError) as err:
        raise BadEntry(path, f"{path}: Its event is damaged: {err}.") from err
