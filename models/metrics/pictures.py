"""The training picture nearest to a generated one, by the features of the memorization check.

Nothing is computed for the dataset: its features are in its reference statistics, which the
import or the first training at that size has stored beside it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.batches import open_pack
from models.metrics.features import Features
from models.metrics.measuring import stored_reference
from models.metrics.reference import Reference
from models.store import Store
from models.store.records import DatasetRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The nearest training picture.

    Attributes:
        picture: Its row in the dataset's pack.
        pixels: uint8 (H, W, 3).
        distance: Between the features of the two.
        heldout_closer: Share of the held-out pictures that are closer to a training picture than
            this one is: near 0 the generated picture is suspiciously close. None without any.
    """

    picture: int
    pixels: NDArray[np.uint8]
    distance: float
    heldout_closer: float | None


class TrainingPictures:
    """A dataset's pictures at one size, and their features.

    Args:
        reference: Holds the features.
        pack: uint8 (N, H, W, 3), all pictures.
        features: The network that the features are of.
    """

    def __init__(self, reference: Reference, pack: NDArray[np.uint8], features: Features) -> None:
        self._reference, self._pack, self._features = reference, pack, features
        self._squares = reference.rows.float().square().sum(1)

    @classmethod
    def open(
        cls, store: Store, dataset: DatasetRecord, size_px: int, cache: Path
    ) -> "TrainingPictures | None":
        """Return a dataset's pictures, or None if their features are not stored.

        Raises:
            DatasetError: It has no pictures of that size.
            StoreError: A file is damaged or missing.
        """
        features = Features(torch.device("cpu"))
        reference = stored_reference(store, dataset, size_px, features.key)
        if reference is None:
            return None
        pack = open_pack(store.datasets.pack_path(dataset.name, size_px, cache=cache))
        return cls(reference, pack, features)

    def nearest(self, pixels: NDArray[np.uint8]) -> Nearest:
        """Return the picture nearest to a generated one, uint8 (H, W, 3) of the same size."""
        rows = self._reference.rows.float()
        wanted = torch.from_numpy(self._features(pixels[None]))[0]
        squares = self._squares - 2 * (rows @ wanted) + wanted.square().sum()
        place = int(squares.argmin())
        # Exactly: the squares' difference above loses digits where the two are alike.
        distance = float((rows[place].double() - wanted.double()).norm())
        heldout = self._reference.heldout
        closer = float((heldout < distance).double().mean()) if len(heldout) else None
        picture = int(self._reference.pictures[place])
        return Nearest(
            picture=picture,
            pixels=np.array(self._pack[picture]),
            distance=distance,
            heldout_closer=closer,
        )
