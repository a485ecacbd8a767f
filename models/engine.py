"""From points of latent space to uint8 pixels on one device."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoints import Generator
from models.engines import CANONICAL
from models.engines.backends import make_backend
from models.networks import NETWORKS
from models.sampling import Point, latents


class Engine:
    """Renders one generator. Call it from one thread at a time.

    One seed is one cat, whatever shares its batch.

    Args:
        generator: A checked generator. It is moved to the device, and otherwise left as it is.
        device: Where to compute.
        engine: Key in `models.engines.ENGINES`.

    Attributes:
        truncates: Whether its pictures depend on the latent's length.

    Raises:
        InvalidValue: The engine is unknown, or not for that device.
    """

    def __init__(
        self,
        generator: Generator,
        device: str | torch.device = "cpu",
        engine: str = CANONICAL,
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

    def render(self, points: Sequence[Point]) -> NDArray[np.uint8]:
        """Make one picture per point.

        Args:
            points: N seeds, or places between seeds.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            InvalidValue: A point is out of range, see `models.sampling.latents`.
        """
        return self._backend.render(torch.from_numpy(latents(points, self.z_dim))).numpy()

    def warm(self) -> None:
        """Get ready, so that the first request is fast, and look at what comes out.

        Raises:
            CheckpointError: The pictures are not finite.
        """
        self._backend.warm()


def set_render_threads(count: int) -> int:
    """Have CPUs render with a number of threads, in this process; return the number.

    Args:
        count: How many; 0: one a core, less one for the front end where there are more
            than two. Two cores are shared: a forward pass is most of the work of a cat,
            and on one of them alone it would leave the other idle half of the time.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    spare = 1 if cores and cores > 2 else 0
    threads = count or min(torch.get_num_threads(), (cores or 1) - spare)
    torch.set_num_threads(threads)
    return threads
