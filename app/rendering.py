"""From a slot and points to files: forward pass, then encoding off the event loop."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from time import perf_counter

from app.batching import Batcher, Pixels
from app.errors import Busy
from app.slots import Slot
from app.telemetry import Telemetry
from app.variations import PLAIN, Variation
from models.images import ENCODER, contact_sheet, encode_png
from models.sampling import Point

SOFTWARE = f"Cattery {version('cattery')}"

RELEASE = f"{SOFTWARE}, torch {version('torch')}, Pillow {version('pillow')}, {ENCODER}"
"""All software that shapes an answer's bytes; part of every ETag."""

Encode = Callable[[Pixels, Mapping[str, str]], bytes]
"""Makes (N, H, W, 3) uint8 and provenance a file."""


class Renderer:
    """Renders and encodes for many clients at once.

    Encoding has threads of its own, for it takes longer than a forward pass on a
    GPU. A request never has more pictures in them than there are threads, so one
    picture passes between the sixty-four of another. Walks leave one thread to the
    others, for one is encoded as a whole.

    Args:
        batcher: What renders.
        encode_threads: How many pictures are encoded at a time.
        max_waiting: Most pictures that may wait to be encoded.
        telemetry: Where it counts.
    """

    def __init__(
        self,
        batcher: Batcher,
        *,
        encode_threads: int = 2,
        max_waiting: int = 4096,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._batcher = batcher
        self._threads = encode_threads
        self._max_waiting = max_waiting
        self._telemetry = telemetry or Telemetry()
        self._encoders = ThreadPoolExecutor(encode_threads, thread_name_prefix="cattery-encode")
        self._walks = asyncio.Semaphore(max(1, encode_threads - 1))
        self._encoding = 0

    @property
    def encoding(self) -> int:
        """Pictures that are being encoded or wait for it."""
        return self._encoding

    def close(self) -> None:
        """End the threads after what they are at."""
        self._encoders.shutdown(cancel_futures=True)

    async def cats(
        self, slot: Slot, seeds: Sequence[int], variation: Variation = PLAIN
    ) -> list[bytes]:
        """Return one PNG file per seed, the same bytes in whatever company.

        Raises:
            Busy, DeadlineExceeded: As `Batcher.render`.
        """
        pixels = await self._render(slot, variation.points(seeds))
        texts = [cat_text(slot, seed, variation) for seed in seeds]
        files: list[bytes] = []
        with self._counted(len(seeds)):
            for begin in range(0, len(seeds), self._threads):
                some = range(begin, min(begin + self._threads, len(seeds)))
                jobs = [self._encode(pixels[i : i + 1], texts[i], 1) for i in some]
                files += await asyncio.gather(*jobs)
        return files

    async def sheet(
        self,
        slot: Slot,
        seeds: Sequence[int],
        columns: int | None,
        variation: Variation = PLAIN,
    ) -> bytes:
        """Return one PNG file with all pictures edge to edge, row by row.

        Args:
            slot: The version.
            seeds: One per picture.
            columns: Pictures in a row; None: the least square that holds all.
            variation: How the pictures differ from the seeds' own.

        Raises:
            Busy, DeadlineExceeded: As `Batcher.render`.
        """
        pixels = await self._render(slot, variation.points(seeds))
        with self._counted(len(seeds)):
            return await self._encode(pixels, sheet_text(slot, seeds, variation), columns)

    async def walk(
        self, slot: Slot, points: Sequence[Point], encode: Encode, text: Mapping[str, str]
    ) -> bytes:
        """Return one file with a picture per point, one after the other.

        Args:
            slot: The version.
            points: One per frame.
            encode: Makes the file; it may take its time.
            text: Provenance.

        Raises:
            Busy, DeadlineExceeded: As `Batcher.render`.
        """
        pixels = await self._render(slot, points)
        loop = asyncio.get_running_loop()
        with self._counted(len(points)):
            async with self._walks:
                return await loop.run_in_executor(self._encoders, encode, pixels, text)

    async def _render(self, slot: Slot, points: Sequence[Point]) -> Pixels:
        if self._encoding > self._max_waiting:
            self._telemetry.refused.labels("busy").inc()
            raise Busy(f"{self._encoding} pictures wait to be encoded already.")
        return await self._batcher.render(slot, points)

    async def _encode(self, pixels: Pixels, text: Mapping[str, str], columns: int | None) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoders, self._timed, pixels, text, columns)

    def _timed(self, pixels: Pixels, text: Mapping[str, str], columns: int | None) -> bytes:
        began = perf_counter()
        png = encode_png(contact_sheet(pixels, columns), text)
        self._telemetry.encode_s.observe(perf_counter() - began)
        return png

    @contextmanager
    def _counted(self, images: int) -> Iterator[None]:
        self._encoding += images
        try:
            yield
        finally:
            self._encoding -= images


def cat_text(slot: Slot, seed: int, variation: Variation = PLAIN) -> dict[str, str]:
    """Return the PNG text chunks of one cat: where it came from."""
    return provenance(slot, {"seed": str(seed), **variation.query()})


def sheet_text(slot: Slot, seeds: Sequence[int], variation: Variation = PLAIN) -> dict[str, str]:
    """Return the PNG text chunks of a contact sheet."""
    return provenance(slot, {"seeds": f"{seeds[0]}-{seeds[-1]}", **variation.query()})


def provenance(slot: Slot, facts: Mapping[str, str]) -> dict[str, str]:
    """Return what a file says of its origin: software, version, and facts by their names."""
    return {"Software": SOFTWARE, **labels(slot, facts)}


def labels(slot: Slot, facts: Mapping[str, str]) -> dict[str, str]:
    """Return a version and facts as headers and files call them: `Cattery-Seed` for "seed"."""
    told = {"model": slot.model, "version": slot.version, **facts}
    return {f"Cattery-{name.capitalize()}": fact for name, fact in told.items()}
