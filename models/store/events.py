"""A job's history: an append-only file with one JSON line per event."""

import json
from collections.abc import Iterator

from models.store.records import Event, Json
from models.store.serialization import to_json
from models.store.tree import Tree


class EventLog:
    """Events in one file, in the order of their ids.

    An event may be appended again after a failure that left open whether it was written; it is
    returned once. A line that a crash tore is never returned.
    """

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree = tree
        self._path = path

    def append(self, event: Event) -> None:
        """Add an event, whose id is higher than that of any other."""
        # json.dumps escapes line breaks, so an event is always one line.
        line = json.dumps(to_json(event), ensure_ascii=False)
        self._tree.append(self._path, line.encode() + b"\n")

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a higher id than `after`; none when there is no file."""
        try:
            raw = self._tree.read(self._path)
        except FileNotFoundError:
            return []
        lines = raw.split(b"\n")[:-1]  # what follows the last newline is still being written
        return list(_each_once(lines, after))


def _each_once(lines: list[bytes], after: int) -> Iterator[Event]:
    # Torn and repeated lines only move an event further down: none is above line number `after`.
    for number, line in enumerate(lines[after:], start=after + 1):
        event = _event(line, number)
        if event is not None and event.id > after:
            after = event.id
            yield event


def _event(line: bytes, number: int) -> Event | None:
    """Return the event of a line, or None for a torn one; without an id it is the line's number."""
    try:
        return from_line(json.loads(line), number)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def from_line(fields: Json, number: int = 0) -> Event:
    """Return an event from JSON; KeyError, TypeError or AttributeError if it is none."""
    found = int(fields.get("id", number))
    return Event(id=found, type=fields["type"], at=fields["at"], data=fields["data"])
