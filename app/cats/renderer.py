"""Renders points and encodes the pictures, both off the event loop."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from importlib.metadata import version

from app.cats.latents import PLAIN, Variation
from app.inference.batcher import Batcher
from app.inference.queue import Pixels
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from app.problems.errors import Busy
from models.images.animations import ANIMATIONS, AnimationFormat
from models.images.formats import ENCODINGS, PictureFormat, contact_sheet
from models.inference.latents import Point

SOFTWARE = f"Cattery {version('cattery')}"

# Part of every ETag: a release of any of these may change a picture's bytes.
RELEASE = f"{SOFTWARE}, torch {version('torch')}, Pillow {version('pillow')}"

MAX_WALKS = 4  # from rendering to encoding: each holds all of its frames in memory
WALK_RETRY_S = 5


class Renderer:
    """Renders and encodes for many clients at once.

    Args:
        batcher: Renders the pictures.
        encode_threads: Number of sheets encoded at a time.
        max_waiting: Maximum number of pictures waiting to be encoded.
        telemetry: Counts encodings and refusals.
    """

    # A cat is encoded in the batcher's lane that rendered it. A contact sheet needs all of its
    # cats first, which several lanes may render, so sheets have threads of their own.

    def __init__(
        self,
        batcher: Batcher,
        *,
        encode_threads: int = 2,
        max_waiting: int = 4096,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._batcher = batcher
        self._max_waiting = max_waiting
        self._telemetry = telemetry or Telemetry()
        self._encoders = ThreadPoolExecutor(encode_threads, thread_name_prefix="cattery-encode")
        # A single one: encoding a walk takes seconds and must not use every core.
        self._walker = ThreadPoolExecutor(1, thread_name_prefix="cattery-walk")
        self._walks = 0
        self._encoding = 0

    def close(self) -> None:
        """Stop the threads after their current files."""
        self._encoders.shutdown(cancel_futures=True)
        self._walker.shutdown(cancel_futures=True)

    def check_room(self, count: int) -> None:
        """Refuse a number of pictures now if they would be refused later.

        Raises:
            Busy: Too many pictures are waiting, or the app is shutting down.
        """
        self._check_room()
        self._batcher.check_room(count)

    def deadline(self) -> AbstractAsyncContextManager[None]:
        """Limit a client's wait for shared files, as `Batcher.deadline`."""
        return self._batcher.deadline()

    async def cats(
        self,
        slot: Slot,
        seeds: Sequence[int],
        variation: Variation = PLAIN,
        encoding: PictureFormat = PictureFormat.PNG,
        *,
        is_shared: bool = False,
    ) -> list[bytes]:
        """Return one file per seed; its bytes do not depend on what else is in the batch.

        Raises:
            Busy, DeadlineExceeded: As `Batcher.files`, which explains `is_shared`.
        """
        self._check_room()
        points = variation.points(seeds)

        def encode(number: int, pixels: Pixels) -> bytes:
            return self._encoded("cat", encoding, pixels, cat_text(slot, seeds[number], variation))

        return await self._batcher.files(slot, points, encode, is_shared=is_shared)

    async def sheet(
        self,
        slot: Slot,
        seeds: Sequence[int],
        columns: int | None,
        variation: Variation = PLAIN,
        encoding: PictureFormat = PictureFormat.PNG,
    ) -> bytes:
        """Return a contact sheet with rows of `columns` pictures, or a square for None.

        Raises:
            Busy, DeadlineExceeded: As `Batcher.render`.
        """
        pixels = await self._render(slot, variation.points(seeds))
        text = sheet_text(slot, seeds, variation)

        def encode() -> bytes:
            return self._encoded("sheet", encoding, contact_sheet(pixels, columns), text)

        self._count(len(seeds))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._encoders, encode)
        finally:
            self._count(-len(seeds))

    async def walk(
        self,
        slot: Slot,
        points: Sequence[Point],
        format: AnimationFormat,
        text: Mapping[str, str],
    ) -> bytes:
        """Return an animation with a frame per point and a text embedded in the file.

        Raises:
            Busy: Too many walks are in progress, or as `Batcher.render`.
            DeadlineExceeded: As `Batcher.render`.
        """
        if self._walks >= MAX_WALKS:
            self._telemetry.refused.labels("busy").inc()
            raise Busy(f"{self._walks} walks are in progress, the maximum.", WALK_RETRY_S)
        self._walks += 1
        try:
            pixels = await self._render(slot, points)
        except BaseException:
            self._walks -= 1
            raise

        def encode() -> bytes:
            with self._telemetry.encode_s.labels("walk", format).time():
                return ANIMATIONS[format].encode(pixels, text)

        self._count(len(points))
        loop, encoding = asyncio.get_running_loop(), self._walker.submit(encode)

        def ended(_: object) -> None:
            with suppress(RuntimeError):  # the service was stopped meanwhile
                loop.call_soon_threadsafe(self._walk_ended, len(points))

        # Not when the client disconnects: encoding cannot be canceled, and counts until it ends.
        encoding.add_done_callback(ended)
        return await asyncio.wrap_future(encoding)

    def _walk_ended(self, frames: int) -> None:
        self._walks -= 1
        self._count(-frames)

    async def _render(self, slot: Slot, points: Sequence[Point]) -> Pixels:
        self._check_room()
        return await self._batcher.render(slot, points)

    def _check_room(self) -> None:
        if self._encoding > self._max_waiting:
            self._telemetry.refused.labels("busy").inc()
            raise Busy(f"{self._encoding} pictures are already waiting to be encoded.")

    def _encoded(
        self, kind: str, encoding: PictureFormat, pixels: Pixels, text: Mapping[str, str]
    ) -> bytes:
        with self._telemetry.encode_s.labels(kind, encoding).time():
            return ENCODINGS[encoding].encode(pixels, text)

    def _count(self, change: int) -> None:
        self._encoding += change
        self._telemetry.encoding_images.set(self._encoding)


def cat_text(slot: Slot, seed: int, variation: Variation = PLAIN) -> dict[str, str]:
    """Return the provenance of one cat."""
    return provenance(slot, {"seed": str(seed), **variation.query()})


def sheet_text(slot: Slot, seeds: Sequence[int], variation: Variation = PLAIN) -> dict[str, str]:
    """Return the provenance of a contact sheet."""
    return provenance(slot, {"seeds": f"{seeds[0]}-{seeds[-1]}", **variation.query()})


def provenance(slot: Slot, facts: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a file: software, version, and facts by name."""
    return {"Software": SOFTWARE, **labels(slot, facts)}


def labels(slot: Slot, facts: Mapping[str, str]) -> dict[str, str]:
    """Return a version and facts by their names in headers and files, such as `Cattery-Seed`."""
    named = {"model": slot.model, "version": slot.version, **facts}
    return {f"Cattery-{name.capitalize()}": fact for name, fact in named.items()}
