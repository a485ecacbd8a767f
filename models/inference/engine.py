"""From points of latent space to uint8 pixels on one device."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.inference.backend import make_backend
from models.inference.checkpoints import Generator
from models.inference.latents import Point, latents
from models.inference.registry import CANONICAL
from models.networks import NETWORKS

GPU_LANES = 4
GPU_SHARE = 16


class Engine:
    """Renders one generator. It may be called from several threads.

    One seed is one cat, whatever shares its batch.

    Args:
        generator: A checked generator. It is moved to the device, and otherwise left as it is.
        device: Where to compute.
        engine: Key in `models.inference.registry.ENGINES`.

    Attributes:
        truncates: Whether its images depend on the latent's length.

    Raises:
        InvalidValue: The engine is unknown, or not for that device.
    """

    def __init__(
        self, generator: Generator, device: str | torch.device = "cpu", engine: str = CANONICAL
    ) -> None:
        where = torch.device(device)
        self.size_px = generator.size_px
        self.z_dim = generator.z_dim
        network = NETWORKS.get(str(generator.meta.get("network")))
        self.truncates = network is not None and network.truncates
        self._backend = make_backend(generator.to(where).eval(), where, engine)

    @property
    def name(self) -> str:
        """What it renders with and where, e.g. "torch-fp32-cpu"; part of every ETag."""
        return self._backend.name

    @property
    def nbytes(self) -> int:
        """Bytes that its weights hold on the device; what a forward pass needs comes on top."""
        return self._backend.nbytes

    def render(self, points: Sequence[Point]) -> NDArray[np.uint8]:
        """Make one image per point.

        Args:
            points: N seeds, or places between seeds.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            InvalidValue: A point is out of range, see `models.inference.latents.latents`.
        """
        return self._backend.render(torch.from_numpy(latents(points, self.z_dim))).numpy()

    def warm(self) -> None:
        """Get ready, so that the first request is fast, and look at what comes out.

        Raises:
            CheckpointError: The images are not finite.
        """
        self._backend.warm()


def lanes_of(device: str | torch.device, count: int) -> int:
    """Return how many batches a device shall have under way at a time.

    Args:
        device: Where to render.
        count: What was asked for; 0: on a CPU one a core, less one for the front end where
            there are more than two; on a GPU as many as encode beside it, four at most.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    spare = 1 if cores and cores > 2 else 0
    lanes = min(torch.get_num_threads(), (cores or 1) - spare)
    return count or (lanes if torch.device(device).type == "cpu" else min(lanes, GPU_LANES))


def least_share_of(device: str | torch.device) -> int:
    """Return how many images one lane had better render alone, though others are idle.

    Lanes compute side by side on a CPU. On a GPU they take turns, and a part of a batch
    takes as long as a whole one.

    Args:
        device: Where to render.
    """
    return 1 if torch.device(device).type == "cpu" else GPU_SHARE


def enter_lane() -> None:
    """Have this thread compute alone from now on: the other cores have lanes of their own."""
    torch.set_num_threads(1)
