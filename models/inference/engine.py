"""From points of latent space to uint8 pixels on one device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.cores import usable_cores
from models.inference.backend import make_backend
from models.inference.checkpoints import Generator
from models.inference.latents import Point, latents
from models.inference.registry import CANONICAL
from models.networks import NETWORKS

GPU_LANES = 4
GPU_SHARE = 16


class Engine:
    """Renders one generator; thread-safe. A seed's image does not depend on its batch.

    Args:
        generator: A checked generator, which is moved to the device.
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
        """Engine, number format and device, e.g. "torch-fp32-cpu"; part of every ETag."""
        return self._backend.name

    @property
    def nbytes(self) -> int:
        """Bytes that its weights hold on the device, without a forward pass's activations."""
        return self._backend.nbytes

    def render(self, points: Sequence[Point]) -> NDArray[np.uint8]:
        """Return one image per point, (N, H, W, 3) uint8; InvalidValue as `latents`."""
        return self.render_latents(latents(points, self.z_dim))

    def render_latents(self, z: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return one image per latent, (N, Z) float32 to (N, H, W, 3) uint8."""
        return self._backend.render(torch.from_numpy(z)).numpy()

    def warm(self) -> None:
        """Prepare for a fast first request, and check what comes out.

        Raises:
            CheckpointError: The images are not finite.
        """
        self._backend.warm()


def lanes_of(device: str | torch.device, count: int) -> int:
    """Return how many batches a device renders at a time.

    Args:
        device: Where to render.
        count: As configured; 0 means on a CPU one per core, less one for the front end where
            there are more than two, and on a GPU at most four.
    """
    cores = usable_cores()
    lanes = min(torch.get_num_threads(), cores - (1 if cores > 2 else 0))
    return count or (lanes if torch.device(device).type == "cpu" else min(lanes, GPU_LANES))


def least_share_of(device: str | torch.device) -> int:
    """Return up to how many images one lane should render alone, though others are idle."""
    # CPU lanes run in parallel. On a GPU they take turns, and part of a batch takes as long as
    # a whole one.
    return 1 if torch.device(device).type == "cpu" else GPU_SHARE


def enter_lane() -> None:
    """Limit this thread to one core: the others have lanes of their own."""
    torch.set_num_threads(1)
