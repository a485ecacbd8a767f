"""Rendering on a GPU: one CUDA graph of one batch size, copies overlapping the next batch."""

import copy
import threading
from functools import partial

import torch
from torch import Tensor, nn

from models.cuda_graphs import WARM_UP, Replayed
from models.devices import exact_convolutions
from models.inference.backend import check_finite, gray_levels, some_latents
from models.inference.checkpoints import Generator
from models.inference.folding import folded, unowned
from models.inference.onednn import held_bytes

BATCH = 16  # of every forward pass: cuDNN picks kernels by size, and they round differently
COMPARED = 64  # images by which float16 is compared with float32


class OnCuda:
    """A thread-safe GPU backend.

    Float32 without TF32 until it is warmed. Then float16 takes over, if it is wanted and no
    pixel of the first images is more than one gray level off, as they are where a
    generator's values overflow float16. Threads take turns at the GPU, and wait for their
    copies concurrently.

    Args:
        generator: A checked generator on the device.
        device: A GPU.
        halves: Whether float16 is wanted.
    """

    def __init__(self, generator: Generator, device: torch.device, *, halves: bool) -> None:
        self._device = device
        self._halves = halves
        self._some = some_latents(generator, COMPARED)
        self._network = folded(generator.network, generator.z_dim)
        self._guard = threading.Lock()
        self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._use(torch.float32)

    @property
    def nbytes(self) -> int:
        """Bytes that its weights hold on the device."""
        return held_bytes(self._network)

    @torch.inference_mode()
    def render(self, z: Tensor) -> Tensor:
        """Render (N, Z) float32 to (N, H, W, 3) uint8, both on the CPU."""
        # Padded to whole batches, since the graph has one size and no other is ever used.
        padded = torch.cat([z, z.new_zeros(-len(z) % BATCH, z.shape[1])])
        with torch.cuda.device(self._device):
            with self._guard:
                parts = [self._sent(part) for part in torch.split(padded.to(self._device), BATCH)]
                sent = self._copies.record_event()
            # Outside the lock: the next thread's batch renders while these pixels arrive.
            sent.synchronize()
        return torch.cat(parts)[: len(z)]

    @torch.inference_mode()
    def warm(self) -> None:
        """Choose the number format and capture the graph.

        Raises:
            CheckpointError: The images are not finite.
        """
        images = self._network(self._some[:BATCH].to(self._device))
        check_finite(bool(torch.isfinite(images).all()))
        exact = self.render(self._some)
        if self._halves:
            whole, self._network = self._network, unowned(copy.deepcopy(self._network))
            self._network.half().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._use(torch.float16)
            if (self.render(self._some).int() - exact.int()).abs().max() > 1:
                self._network = whole
                self._use(torch.float32)
        for _ in range(WARM_UP * BATCH // COMPARED + 1):
            self.render(self._some)

    def _use(self, dtype: torch.dtype) -> None:
        self.name = f"torch-{'fp16' if dtype == torch.float16 else 'fp32'}-cuda"
        # Not a bound method: in a reference cycle GPU memory would wait for the garbage collector.
        levels = partial(_levels, self._network, dtype, self._device)
        self._replayed = Replayed(levels, self._device)

    def _sent(self, z: Tensor) -> Tensor:
        """Render a batch and copy it to the host, while the next one is rendered."""
        # Cloned: the next replay overwrites the graph's own result.
        levels = self._replayed(z).clone()
        host = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=True)
        self._copies.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._copies):
            host.copy_(levels, non_blocking=True)
        # Else the allocator might reuse this memory before the other stream has read it.
        levels.record_stream(self._copies)
        return host


def _levels(network: nn.Module, dtype: torch.dtype, device: torch.device, z: Tensor) -> Tensor:
    with exact_convolutions(device):
        return gray_levels(network(z.to(dtype)))
