"""A job's history: an append-only file with one JSON line per event."""

import json

from models.store.names import timestamp
from models.store.records import Event, Json
from models.store.tree import Tree


class EventLog:
    """Events in one file. An event's id is its line number, from 1.

    A line that a crash tore is never returned but keeps its number: a client that saw event 7
    asks for those after 7 and misses nothing.
    """

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree = tree
        self._path = path

    def append(self, kind: str, data: Json) -> None:
        """Add an event that happened now."""
        # json.dumps escapes line breaks, so an event is always one line.
        line = json.dumps({"type": kind, "at": timestamp(), "data": data}, ensure_ascii=False)
        self._tree.append(self._path, line.encode() + b"\n")

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a higher id than `after`; none when there is no file."""
        try:
            raw = self._tree.read(self._path)
        except FileNotFoundError:
            return []
        lines = raw.split(b"\n")[:-1]  # what follows the last newline is still being written
        events = (_event(n, line) for n, line in enumerate(lines[after:], start=after + 1))
        return [event for event in events if event is not None]


def _event(number: int, line: bytes) -> Event | None:
    """The event of a line, or None for a torn one."""
    try:
        fields = json.loads(line)
        return Event(id=number, type=fields["type"], at=fields["at"], data=fields["data"])
    except (ValueError, KeyError, TypeError):
        return None
