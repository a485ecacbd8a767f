"""Rendering on a CPU: folded, packed, and with the same rounding at every batch size."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil

import torch
from torch import Tensor, fx, nn

from models.inference.backend import check_finite, gray_levels, some_latents
from models.inference.checkpoints import Generator
from models.inference.folding import folded
from models.inference.onednn import can_pack, held_bytes, pack
from models.networks import NETWORKS

MOST_AT_ONCE = 16  # more per forward pass is no faster and takes more memory

log = logging.getLogger(__name__)

NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


class OnCpu:
    """A thread-safe CPU backend; a latent's pixels do not depend on its batch.

    Packed convolutions give equal floats at every batch size
    (tests/models/inference/test_engine.py). Where a network also multiplies matrices, or
    torch cannot pack or trace it, images are rendered one by one.

    Args:
        generator: A checked generator on the CPU.
        dtype: Number format of all convolutions but the last. In bfloat16 a tenth of the
            pixels are one gray level off, and a few in a hundred thousand two.
    """

    def __init__(self, generator: Generator, dtype: torch.dtype = torch.float32) -> None:
        network = NETWORKS.get(str(generator.meta.get("network")))
        made = _traced(generator)
        packs = made is not None and can_pack()
        self._at_once = (
            MOST_AT_ONCE if packs and network is not None and network.renders_evenly else 1
        )
        self.name = f"torch-{NAMES[dtype] if packs else 'fp32'}-cpu"
        self._some = some_latents(generator, MOST_AT_ONCE)
        self._network: nn.Module = generator.network
        self._is_finite: bool | None = None  # unknown until `warm`
        if made is not None:
            # Before packing: oneDNN's ReLU turns NaN into zero.
            self._is_finite = self._renders_finite(made)
            self._network = pack(made, dtype) if packs else made

    @property
    def nbytes(self) -> int:
        """Bytes that its weights hold on the device."""
        return held_bytes(self._network)

    def render(self, z: Tensor) -> Tensor:
        """Render (N, Z) float32 to (N, H, W, 3) uint8."""
        # One thread per forward pass, several passes at a time: with three threads or more in
        # one pass, some pixels differ by a gray level.
        with _one_thread() as threads:
            parts = torch.split(z, max(1, min(self._at_once, ceil(len(z) / threads))))
            if len(parts) == 1 or threads == 1:
                return torch.cat([self._levels(part) for part in parts])
            with ThreadPoolExecutor(
                threads, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                return torch.cat(list(pool.map(self._levels, parts)))

    @torch.inference_mode()
    def _levels(self, z: Tensor) -> Tensor:
        return gray_levels(self._network(z))

    def warm(self) -> None:
        """Render a batch and a single image, which allocates memory for both.

        Raises:
            CheckpointError: The images are not finite.
        """
        if self._is_finite is None:
            self._is_finite = self._renders_finite(self._network)
        check_finite(self._is_finite)
        for count in (1, MOST_AT_ONCE):
            self.render(self._some[:count])

    @torch.inference_mode()
    def _renders_finite(self, network: nn.Module) -> bool:
        return bool(torch.isfinite(network(self._some[:2])).all())


@contextmanager
def _one_thread() -> Iterator[int]:
    """Limit this thread to one core; yields how many it otherwise uses."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _traced(generator: Generator) -> fx.GraphModule | None:
    """Return the folded network, or None if its control flow depends on tensors."""
    try:
        return folded(generator.network, generator.z_dim)
    except (RuntimeError, TypeError, ValueError, StopIteration) as err:
        log.warning("A generator cannot be traced, and is rendered unfolded: %s", err)
        return None
