"""Cats that are asked for again: from memory, from the store, or rendered once for all who wait.

Every file here is a permalink's, and its key is that permalink's entity tag, so whatever
has another tag can never be found in its place.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.cats.renderer import Renderer
from app.cats.request import Answer, Freshness
from app.observability.metrics import Telemetry
from models.store.image_store import Renderings

Files = dict[str, bytes]
"""Content by entity tag."""


class Rendered:
    """Hands out the files of cats, and remembers them.

    Used from one event loop. A random cat passes by: nobody asks for it again.

    Args:
        renderer: What renders.
        max_bytes: Most bytes of files in memory; 0: none.
        shelf: Where first renderings are kept for ever; None: nowhere.
        telemetry: Where it counts.
    """

    def __init__(
        self,
        renderer: Renderer,
        *,
        max_bytes: int,
        shelf: Renderings | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._renderer = renderer
        self._telemetry = telemetry or Telemetry()
        self._memory = _Memory(max_bytes, self._telemetry)
        self._shelf = shelf
        self._flights: dict[str, _Flight] = {}

    async def settled(self, answer: Answer) -> Answer:
        """Return an answer that knows which of its cats the store keeps, or will.

        Raises:
            StoreError: First renderings are kept, and the store cannot be read.
        """
        if self._shelf is None or not answer.is_of_files or answer.freshness is Freshness.RANDOM:
            return answer
        names = {answer.short_name(seed): seed for seed in answer.seeds}
        version = (answer.slot.model, answer.slot.version)
        admitted = self._shelf.admitted_at_once(*version, names)
        if admitted is None:
            admitted = await asyncio.to_thread(self._shelf.admitted, *version, names)
        return replace(answer, kept=frozenset(names[name] for name in admitted))

    async def cats(self, answer: Answer) -> list[bytes]:
        """Return one file per seed of a settled answer.

        Raises:
            Busy, DeadlineExceeded: As `Renderer.cats`.
            StoreError: First renderings are kept, and the store does not work.
        """
        if answer.freshness is Freshness.RANDOM:
            return await self._renderer.cats(
                answer.slot, answer.seeds, answer.variation, answer.encoding
            )
        seeds = {answer.alone(seed).etag: seed for seed in answer.seeds}
        found = self._memory.find(list(seeds))
        missing = {tag: seed for tag, seed in seeds.items() if tag not in found}
        found |= await self._fetched(answer, missing)
        return [found[tag] for tag in seeds]

    async def _fetched(self, answer: Answer, missing: Mapping[str, int]) -> Files:
        """Wait for what others have under way, and have the rest rendered."""
        flying = {tag: self._flights[tag] for tag in missing if tag in self._flights}
        self._telemetry.cache_hits.labels("flight").inc(len(flying))
        rest = {tag: seed for tag, seed in missing.items() if tag not in flying}
        flights = set(flying.values())
        if rest:
            flights.add(_Flight(self._flights, list(rest), self._made(answer, rest)))
        for flight in flights:
            flight.enter()
        found: Files = {}
        try:
            for flight in flights:
                # Shielded: one client that hangs up must not spoil it for the others.
                found |= await asyncio.shield(flight.task)
        finally:
            for flight in flights:
                flight.leave()
        return found

    async def _made(self, answer: Answer, seeds: Mapping[str, int]) -> Files:
        """Return files from the store, or rendered; from now on they are remembered."""
        kept = {tag: seed for tag, seed in seeds.items() if seed in answer.kept}
        files = await self._read(answer, kept) if kept else {}
        cold = {tag: seed for tag, seed in seeds.items() if tag not in files}
        if cold:
            made = await self._renderer.cats(
                answer.slot, list(cold.values()), answer.variation, answer.encoding
            )
            fresh = dict(zip(cold, made, strict=True))
            files |= fresh | await self._keep(
                answer, {t: kept[t] for t in cold if t in kept}, fresh
            )
        self._memory.add(files)
        return files

    async def _read(self, answer: Answer, kept: Mapping[str, int]) -> Files:
        if self._shelf is None:
            return {}
        names = {answer.short_name(seed): tag for tag, seed in kept.items()}
        slot = answer.slot
        read = await asyncio.to_thread(self._shelf.read, slot.model, slot.version, names)
        self._telemetry.cache_hits.labels("store").inc(len(read))
        self._telemetry.cache_misses.labels("store").inc(len(names) - len(read))
        return {names[name]: data for name, data in read.items()}

    async def _keep(self, answer: Answer, kept: Mapping[str, int], fresh: Files) -> Files:
        """Keep what is fresh; who was first elsewhere gave the bytes that stay."""
        if self._shelf is None or not kept:
            return {}
        names = {answer.short_name(seed): tag for tag, seed in kept.items()}
        files = {name: fresh[tag] for name, tag in names.items()}
        slot = answer.slot
        now = await asyncio.to_thread(self._shelf.keep, slot.model, slot.version, files)
        won = sum(now[name] is data for name, data in files.items())
        self._telemetry.kept.labels(slot.model).inc(won)
        return {names[name]: data for name, data in now.items()}


class _Memory:
    """The files used last, up to a number of bytes."""

    def __init__(self, max_bytes: int, telemetry: Telemetry) -> None:
        self._max_bytes = max_bytes
        self._telemetry = telemetry
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def find(self, tags: Sequence[str]) -> Files:
        found = {tag: self._files[tag] for tag in tags if tag in self._files}
        for tag in found:
            self._files.move_to_end(tag)
        if self._max_bytes:
            self._telemetry.cache_hits.labels("memory").inc(len(found))
            self._telemetry.cache_misses.labels("memory").inc(len(tags) - len(found))
        return found

    def add(self, files: Files) -> None:
        for tag, data in files.items():
            if len(data) <= self._max_bytes and tag not in self._files:
                self._files[tag] = data
                self._bytes += len(data)
        while self._bytes > self._max_bytes:
            _, data = self._files.popitem(last=False)
            self._bytes -= len(data)
        self._telemetry.cache_bytes.set(self._bytes)


class _Flight:
    """Files on their way, for all who wait for one of them; without waiters it is called off.

    Args:
        flights: Where it is found by each of its tags until it has landed.
        tags: Whose files it brings.
        work: Makes them.
    """

    def __init__(
        self,
        flights: "dict[str, _Flight]",
        tags: Sequence[str],
        work: Coroutine[Any, Any, Files],
    ) -> None:
        self._flights = flights
        self._tags = tags
        self._waiters = 0
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(self._land)
        flights.update(dict.fromkeys(tags, self))

    def enter(self) -> None:
        self._waiters += 1

    def leave(self) -> None:
        self._waiters -= 1
        if not self._waiters and not self.task.done():
            self._forget()  # at once: nobody may join what is called off
            self.task.cancel()

    def _land(self, task: asyncio.Task[Files]) -> None:
        self._forget()
        if not task.cancelled():
            task.exception()  # seen, should nobody wait any more

    def _forget(self) -> None:
        for tag in self._tags:
            if self._flights.get(tag) is self:
                del self._flights[tag]
