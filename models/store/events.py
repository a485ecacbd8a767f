"""A job's history: append-only files with one JSON line per event."""

import json
from collections.abc import Iterable, Iterator

from models.store.records import Event, Json
from models.store.serialization import to_json
from models.store.tree import Tree, whole, with_lines

# An object store writes the last segment again for each event: small ones cost little, and few
# are cheap to read.
SEGMENT_BYTES = 16 << 10


class EventLog:
    """Events of one job, in the order of their ids.

    A folder has one file. An object store has segments, named for the number of their first
    line, after what an older release wrote into one file.

    An event may be appended again after a failure that left open whether it was written; it is
    returned once. A line that a crash tore is never returned.
    """

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree = tree
        self._path = path
        self._folder = path.removesuffix(".jsonl")

    def append(self, event: Event) -> None:
        """Add an event, whose id is higher than that of any other."""
        # json.dumps escapes line breaks, so an event is always one line.
        line = json.dumps(to_json(event), ensure_ascii=False)
        if self._tree.is_local:
            self._tree.append(self._path, line.encode() + b"\n")
        else:
            self._append_to_segment(line.encode() + b"\n")

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a higher id than `after`; none when there is no file."""
        # Torn and repeated lines only move an event further down: none is above line `after`.
        return list(_each_once(self._lines(after), after))

    def _lines(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Yield the lines below line `after`, each with its number."""
        for start, raw in self._segments(after):
            lines = raw.split(b"\n")[:-1]  # what follows the last newline is still being written
            yield from ((n, line) for n, line in enumerate(lines, start) if n > after)

    def _append_to_segment(self, line: bytes) -> None:
        """Append to the last segment with room, or begin the next one."""
        start, found = self._last_segment(), -1

        def appended(before: bytes | None) -> bytes:
            nonlocal start
            if before is not None and len(before) >= SEGMENT_BYTES:
                start += _count(before)
                return before  # full: nothing is written
            return with_lines(before, line)

        while start != found:
            found = start
            self._tree.update(self._segment(found), appended)

    def _last_segment(self) -> int:
        """Return the number of the first line of the segment to append to."""
        starts = self._starts()
        if starts:
            return starts[-1]
        return 1 + _count(dict(self._segments(0)).get(1, b""))

    def _segments(self, after: int) -> list[tuple[int, bytes]]:
        """Return the content of each file that may have later events, by its first line."""
        starts = [] if self._tree.is_local else self._starts()
        last = max((start for start in starts if start <= after + 1), default=0)
        paths = {self._segment(start): start for start in starts if start >= last}
        if not last:  # all there is
            paths = {self._path: 1, **paths}
        raws = self._tree.read_many(list(paths))
        return [(start, whole(raws[path])) for path, start in paths.items() if path in raws]

    def _starts(self) -> list[int]:
        names = (name.removesuffix(".jsonl") for name in self._tree.names(self._folder))
        return sorted(int(name) for name in names if name.isdecimal())

    def _segment(self, start: int) -> str:
        return f"{self._folder}/{start:09d}.jsonl"


def _count(raw: bytes) -> int:
    """Return the number of lines, one that was torn included."""
    return raw.count(b"\n") + (not raw.endswith(b"\n") if raw else 0)


def _each_once(lines: Iterable[tuple[int, bytes]], after: int) -> Iterator[Event]:
    for number, line in lines:
        event = _event(line, number)
        # A higher id than its line's number is none of ours, and would hide those that follow.
        if event is not None and after < event.id <= number:
            after = event.id
            yield event


def _event(line: bytes, number: int) -> Event | None:
    """Return the event of a line, its id by default the line's number; None if it is torn."""
    try:
        return from_line(json.loads(line), number)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def from_line(fields: Json, number: int = 0) -> Event:
    """Return an event from JSON; KeyError, TypeError or AttributeError if it is none."""
    event = Event(
        id=fields.get("id", number), type=fields["type"], at=fields["at"], data=fields["data"]
    )
    kinds = (type(event.id), type(event.type), type(event.at), type(event.data))
    if kinds != (int, str, str, dict):
        raise TypeError("a field of the event has another type")
    return event
