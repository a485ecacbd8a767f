"""From points of latent space to uint8 pixels on one device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoints import Generator
from models.errors import CheckpointError
from models.networks import NETWORKS
from models.precision import exact_convolutions
from models.sampling import Point, latents

CUDA_BATCH = 16
"""On a GPU every forward pass has this size: kernels chosen by size round differently."""

MOST_AT_ONCE = 64


class Engine:
    """Renders one generator. Call it from one thread at a time.

    float32 throughout, and one seed is one cat whatever shares its batch. On a CPU that
    holds for DCGAN's generators at batch sizes that are powers of two up to 64, so a
    batch is split into such; others' pictures are rendered one by one, which costs them
    little there (tests/models/test_engine.py).

    Args:
        generator: A checked generator.
        device: Where to compute.

    Attributes:
        truncates: Whether its pictures depend on the latent's length.
    """

    def __init__(self, generator: Generator, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.size_px = generator.size_px
        self.z_dim = generator.z_dim
        self.name = f"torch-fp32-{self.device.type}"
        self._generator = generator.to(self.device).eval()
        network = NETWORKS.get(str(generator.meta.get("network")))
        self._renders_evenly = network is not None and network.renders_evenly
        self.truncates = network is not None and network.truncates

    def render(self, points: Sequence[Point]) -> NDArray[np.uint8]:
        """Make one picture per point.

        Args:
            points: N seeds, or places between seeds.

        Returns:
            (N, H, W, 3) uint8.

        Raises:
            InvalidValue: A point is out of range, see `models.sampling.latents`.
        """
        z = torch.from_numpy(latents(points, self.z_dim))
        if self.device.type == "cuda":
            pixels = self._in_fixed_batches(z)
        else:
            pixels = torch.cat(
                [self._forward(part) for part in torch.split(z, self._sizes(len(z)))]
            )
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()

    def _sizes(self, count: int) -> list[int]:
        """Return batch sizes that give equal floats, largest first, adding up to a count."""
        if not self._renders_evenly:
            return [1] * count
        whole, rest = divmod(count, MOST_AT_ONCE)
        powers = [1 << bit for bit in reversed(range(rest.bit_length())) if rest >> bit & 1]
        return [MOST_AT_ONCE] * whole + powers

    def warm(self) -> None:
        """Render once, so that the first request is fast, and look at what came out.

        Raises:
            CheckpointError: The pictures are not finite.
        """
        with torch.inference_mode():
            z = torch.from_numpy(latents(range(2), self.z_dim)).to(self.device)
            if not torch.isfinite(self._generator(z)).all():
                raise CheckpointError("The generator's pictures are not finite.")
        self.render(range(16))

    @torch.inference_mode()
    def _forward(self, z: Tensor) -> Tensor:
        with exact_convolutions(self.device):
            pictures = self._generator(z.to(self.device))
        levels = pictures.add(1.0).mul_(127.5).round_().clamp_(0, 255)
        return levels.to(torch.uint8).cpu()

    def _in_fixed_batches(self, z: Tensor) -> Tensor:
        padding = -len(z) % CUDA_BATCH
        padded = torch.cat([z, z.new_zeros(padding, z.shape[1])])
        parts = [self._forward(part) for part in torch.split(padded, CUDA_BATCH)]
        return torch.cat(parts)[: len(z)]
