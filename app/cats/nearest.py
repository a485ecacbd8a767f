"""The training pictures nearest to cats, found in a thread of their own and kept in memory."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.cats.latents import PLAIN
from app.inference.batcher import Batcher
from app.inference.slot import Slot
from app.problems.errors import Busy
from models.errors import CatteryError, Gone, NotFound
from models.metrics.pictures import Nearest, TrainingPictures
from models.store import Store
from models.store.records import Card, DatasetRecord

MOST_WAITING = 8  # each takes some tens of milliseconds, the first of a dataset a second
OPEN_DATASETS = 2  # 26 MB of features each
KEPT = 256  # results, of 12 KB at 64 px


class NoPictures(NotFound):
    """The training pictures of a version are not here, or cannot be compared with."""

    def __init__(self, card: Card, why: str, remedy: str = "") -> None:
        name = str(card.dataset.get("name", ""))
        CatteryError.__init__(
            self, f"{card.model}@{card.version} was trained on {name!r}, {why}.", remedy
        )
        self.kind, self.name, self.known = "dataset", name, ()


class NearestPictures:
    """Finds training pictures. Used from one event loop.

    Args:
        store: Holds the datasets.
        batcher: Renders the cats.
        cache: Folder for packs of a remote store.
    """

    def __init__(self, store: Store, batcher: Batcher, cache: Path) -> None:
        self._store, self._batcher, self._cache = store, batcher, cache
        # A single one: it must not take the cores from rendering.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cattery-nearest")
        self._waiting = 0
        self._open: OrderedDict[tuple[str, int], TrainingPictures] = OrderedDict()
        self._kept: OrderedDict[tuple[str, int, str], Nearest] = OrderedDict()

    def close(self) -> None:
        """Stop the thread after its current picture."""
        self._thread.shutdown(cancel_futures=True)

    def dataset(self, card: Card) -> DatasetRecord:
        """Return the dataset that a version was trained on; blocks.

        Raises:
            NoPictures: It is not in this store.
        """
        try:
            found = self._store.datasets.get(str(card.dataset.get("name", "")))
        except (NotFound, Gone) as err:
            raise NoPictures(
                card, "which is not in this store", "Import that dataset under this name."
            ) from err
        if found.fingerprint != card.dataset.get("fingerprint"):
            raise NoPictures(card, "but the dataset of that name in this store has other pictures")
        return found

    async def find(self, slot: Slot, seed: int, dataset: DatasetRecord) -> Nearest:
        """Return the training picture nearest to a cat.

        Raises:
            NoPictures: The features of the dataset are not stored.
            Busy, DeadlineExceeded: As `Batcher.render`.
        """
        key = (slot.name, seed, dataset.fingerprint)
        if key not in self._kept:
            if self._waiting >= MOST_WAITING:
                raise Busy(f"{self._waiting} cats are being compared with their training pictures.")
            self._waiting += 1
            try:
                pixels = (await self._batcher.render(slot, PLAIN.points([seed])))[0]
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(
                    self._thread,
                    lambda: self._pictures(slot.card, dataset).nearest(pixels),
                )
            finally:
                self._waiting -= 1
            self._kept[key] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _pictures(self, card: Card, dataset: DatasetRecord) -> TrainingPictures:
        key = (dataset.fingerprint, card.size_px)
        if key not in self._open:
            opened = TrainingPictures.open(self._store, dataset, card.size_px, self._cache)
            if opened is None:
                raise NoPictures(
                    card,
                    f"whose features at {card.size_px} px have not been computed in this store",
                    f"Run `cattery evaluate {card.model}@{card.version}`, which stores them.",
                )
            self._open[key] = opened
            if len(self._open) > OPEN_DATASETS:
                self._open.popitem(last=False)
        self._open.move_to_end(key)
        return self._open[key]
