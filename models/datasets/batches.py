"""Training data: packs on disk, batches on the device."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import DatasetError


def open_pack(path: Path) -> NDArray[np.uint8]:
    """Map a pack of images into memory, read-only.

    Args:
        path: A `.npy` file of uint8 (N, H, W, 3).

    Raises:
        DatasetError: The file is damaged or holds something else.
    """
    try:
        pack = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as err:
        raise DatasetError("pack", str(path), f"a readable .npy file ({err})") from err
    if pack.dtype != np.uint8 or pack.ndim != 4 or pack.shape[3] != 3:
        found = f"{pack.dtype} {pack.shape}"
        raise DatasetError("pack", found, "uint8 images of shape (N, H, W, 3)")
    return pack


class BatchStream:
    """An endless stream of shuffled batches with an exact position.

    Every epoch is a permutation drawn from `(seed, epoch)` alone, so the position is one
    integer. A batch may span two epochs: none is short, which batch norm would notice.

    Args:
        images: (N, H, W, 3) uint8.
        batch: Images in a batch; at most N.
        seed: Seeds the order.
        device: Where batches go; all images move there if they fit into half of its free
            memory.

    Raises:
        DatasetError: There are fewer images than one batch needs.
    """

    def __init__(
        self, images: NDArray[np.uint8], batch: int, seed: int, device: torch.device
    ) -> None:
        if len(images) < batch:
            raise DatasetError("dataset", f"{len(images)} images", f"at least a batch, {batch}")
        self.position = 0
        self._batch = batch
        self._seed = seed
        self._device = device
        self._resident = _resident(images, device)
        self._images = images
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def next(self) -> Tensor:
        """Return the next batch, (N, 3, H, W) uint8 on the device, channels last in memory."""
        indices = self._indices(self.position, self._batch)
        self.position += self._batch
        if self._resident is not None:
            rows = self._resident[torch.from_numpy(indices).to(self._device, non_blocking=True)]
        else:
            rows = torch.from_numpy(self._images[indices]).to(self._device)
        return rows.permute(0, 3, 1, 2)

    def _indices(self, position: int, count: int) -> NDArray[np.int64]:
        """Return `count` rows from a position on, which may span epochs."""
        parts: list[NDArray[np.int64]] = []
        while count > 0:
            epoch, place = divmod(position, len(self._images))
            parts.append(self._order_of(epoch)[place : place + count])
            position += len(parts[-1])
            count -= len(parts[-1])
        return np.concatenate(parts)

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            # Counter-based: any epoch's order is reached without replaying those before it.
            stream = np.random.Philox(key=[self._seed, epoch])
            self._order = np.random.Generator(stream).permutation(len(self._images))
            self._epoch = epoch
        return self._order


def _resident(images: NDArray[np.uint8], device: torch.device) -> Tensor | None:
    """Copy the images to a GPU if they fit; on a CPU the memory map serves as well."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if images.nbytes > free // 2:
        return None
    return torch.from_numpy(np.ascontiguousarray(images)).to(device)


def to_unit_range(images: Tensor) -> Tensor:
    """Map uint8 (N, 3, H, W) to float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1.0)
