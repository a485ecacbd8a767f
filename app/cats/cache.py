"""A cache of encoded cats: memory, then the store, then one rendering for all who wait.

Every file is that of a permalink, keyed by the permalink's entity tag.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.cats.renderer import Renderer
from app.cats.request import Freshness, ImageRequest
from app.observability.metrics import Telemetry
from models.store.image_store import ImageStore

Files = dict[str, bytes]
"""Content by entity tag."""


class ImageCache:
    """Caches the files of cats; random cats bypass it. Used from one event loop.

    Args:
        renderer: Renders what is not cached.
        max_bytes: Maximum size of files in memory; 0 disables the memory cache.
        store: Keeps first renderings for good; None disables that.
        telemetry: Counts hits and misses.
    """

    def __init__(
        self,
        renderer: Renderer,
        *,
        max_bytes: int,
        store: ImageStore | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._renderer = renderer
        self._telemetry = telemetry or Telemetry()
        self._memory = _LruBytes(max_bytes, self._telemetry)
        self._store = store
        self._in_flight: dict[str, _InFlight] = {}

    async def resolve(self, request: ImageRequest) -> ImageRequest:
        """Return the request with `kept` filled in, on which its entity tag depends.

        Raises:
            StoreError: First renderings are kept, and the store cannot be read.
        """
        # A random cat is not requested again, unless by its permalink.
        is_random = request.freshness is Freshness.RANDOM
        if self._store is None or not request.has_files or is_random:
            return request
        names = {request.short_name(seed): seed for seed in request.seeds}
        version = (request.slot.model, request.slot.version)
        admitted = self._store.admitted_at_once(*version, names)
        if admitted is None:
            admitted = await asyncio.to_thread(self._store.admitted, *version, names)
        return replace(request, kept=frozenset(names[name] for name in admitted))

    def at_once(self, request: ImageRequest) -> bytes | None:
        """Return the file of a resolved request for one cat if it is in memory."""
        is_random = request.freshness is Freshness.RANDOM
        if is_random or not request.is_single or not self._memory.holds(request.etag):
            return None
        return self._memory.find([request.etag])[request.etag]

    async def files(self, request: ImageRequest) -> list[bytes]:
        """Return one file per seed of a resolved request.

        Raises:
            Busy: As `Renderer.cats`.
            DeadlineExceeded: This caller has waited too long, whenever others began to.
            StoreError: First renderings are kept, and the store fails.
        """
        if request.freshness is Freshness.RANDOM:
            return await self._renderer.cats(
                request.slot, request.seeds, request.variation, request.encoding
            )
        seeds = {request.for_seed(seed).etag: seed for seed in request.seeds}
        found = self._memory.find(list(seeds))
        missing = {tag: seed for tag, seed in seeds.items() if tag not in found}
        if missing:
            async with self._renderer.deadline():
                found |= await self._fetch(request, missing)
        return [found[tag] for tag in seeds]

    async def _fetch(self, request: ImageRequest, missing: Mapping[str, int]) -> Files:
        """Return files that are not in memory; join loads in progress and start the others."""
        joined = {tag: self._in_flight[tag] for tag in missing if tag in self._in_flight}
        self._telemetry.cache_hits.labels("flight").inc(len(joined))
        rest = {tag: seed for tag, seed in missing.items() if tag not in joined}
        flights = set(joined.values())
        if rest:
            flights.add(_InFlight(self._in_flight, list(rest), self._load(request, rest)))
        for flight in flights:
            flight.enter()
        found: Files = {}
        try:
            for flight in flights:
                # Shielded: one client that disconnects must not cancel it for the others.
                found |= await asyncio.shield(flight.task)
        finally:
            for flight in flights:
                flight.leave()
        return found

    async def _load(self, request: ImageRequest, seeds: Mapping[str, int]) -> Files:
        """Return files from the store or the renderer, and add them to memory."""
        kept = {tag: seed for tag, seed in seeds.items() if seed in request.kept}
        files = await self._read(request, kept) if kept else {}
        cold = {tag: seed for tag, seed in seeds.items() if tag not in files}
        if cold:
            made = await self._renderer.cats(
                request.slot,
                list(cold.values()),
                request.variation,
                request.encoding,
                is_shared=True,
            )
            fresh = dict(zip(cold, made, strict=True))
            to_keep = {tag: seed for tag, seed in kept.items() if tag in cold}
            files |= fresh | await self._keep(request, to_keep, fresh)
        self._memory.add(files)
        return files

    async def _read(self, request: ImageRequest, kept: Mapping[str, int]) -> Files:
        if self._store is None:
            return {}
        names = {request.short_name(seed): tag for tag, seed in kept.items()}
        slot = request.slot
        read = await asyncio.to_thread(self._store.read, slot.model, slot.version, names)
        self._telemetry.cache_hits.labels("store").inc(len(read))
        self._telemetry.cache_misses.labels("store").inc(len(names) - len(read))
        return {names[name]: data for name, data in read.items()}

    async def _keep(self, request: ImageRequest, kept: Mapping[str, int], fresh: Files) -> Files:
        """Add fresh files to the store; if another process was faster, return its bytes."""
        if self._store is None or not kept:
            return {}
        names = {request.short_name(seed): tag for tag, seed in kept.items()}
        files = {name: fresh[tag] for name, tag in names.items()}
        slot = request.slot
        stored = await asyncio.to_thread(self._store.keep, slot.model, slot.version, files)
        written = sum(stored[name] is data for name, data in files.items())
        self._telemetry.kept.labels(slot.model).inc(written)
        return {names[name]: data for name, data in stored.items()}


class _LruBytes:
    """The most recently used files, up to a number of bytes."""

    def __init__(self, max_bytes: int, telemetry: Telemetry) -> None:
        self._max_bytes = max_bytes
        self._telemetry = telemetry
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def holds(self, tag: str) -> bool:
        return tag in self._files

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
            # A file larger than the cache would evict everything, and then itself.
            if len(data) <= self._max_bytes and tag not in self._files:
                self._files[tag] = data
                self._bytes += len(data)
        while self._bytes > self._max_bytes:
            _, data = self._files.popitem(last=False)
            self._bytes -= len(data)
        self._telemetry.cache_bytes.set(self._bytes)


class _InFlight:
    """A load of files that several requests wait for; canceled when none does any more.

    Args:
        in_flight: Loads in progress by tag, which it adds itself to.
        tags: Tags of the files.
        work: Loads them.
    """

    def __init__(
        self,
        in_flight: "dict[str, _InFlight]",
        tags: Sequence[str],
        work: Coroutine[Any, Any, Files],
    ) -> None:
        self._in_flight = in_flight
        self._tags = tags
        self._waiters = 0
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(self._finish)
        in_flight.update(dict.fromkeys(tags, self))

    def enter(self) -> None:
        self._waiters += 1

    def leave(self) -> None:
        self._waiters -= 1
        if not self._waiters and not self.task.done():
            self._unregister()  # first: no request may join a task that is being canceled
            self.task.cancel()

    def _finish(self, task: asyncio.Task[Files]) -> None:
        self._unregister()
        if not task.cancelled():
            task.exception()  # or asyncio warns, if nobody waits any more

    def _unregister(self) -> None:
        for tag in self._tags:
            if self._in_flight.get(tag) is self:
                del self._in_flight[tag]
