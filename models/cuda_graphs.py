"""A training step as a CUDA graph: captured once, replayed with one call."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

log = logging.getLogger(__name__)

WARM_UP = 6  # calls before a capture: cuDNN picks its kernels and optimizers create their state


class Replayed(Generic[T]):
    """A function of one tensor that runs as a CUDA graph on a GPU, and as it is on a CPU.

    Its first calls run eagerly, on a side stream as capture requires, and count like all
    others. From then on the tensor is copied to a fixed place, the graph is replayed, and the
    same result tensors are overwritten. Where capture fails, calls stay eager, with a warning.

    The function must have fixed shapes, not read back to the host nor branch on a tensor, and
    draw random numbers from the default generator.
    """

    def __init__(self, function: Callable[[Tensor], T], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._calls = 0
        self._captured: _Captured[T] | None = None
        self._stays_eager = False
        # One stream for all: the allocator reuses a stream's memory on that stream alone.
        self._side: torch.cuda.Stream | None = None

    def __call__(self, batch: Tensor) -> T:
        """Run on a batch of the same shape as every other; may raise torch.OutOfMemoryError."""
        if self._device.type != "cuda":
            return self._function(batch)
        with torch.cuda.device(self._device):
            self._calls += 1
            if self._calls > WARM_UP and self._captured is None and not self._stays_eager:
                self._captured = self._capture(batch)
                self._stays_eager = self._captured is None
            if self._captured is None:
                return self._on_side_stream(batch)
            self._captured.batch.copy_(batch, non_blocking=True)
            self._captured.graph.replay()
            return self._captured.result

    def _on_side_stream(self, batch: Tensor) -> T:
        side, main = self._stream(), torch.cuda.current_stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            result = self._function(batch)
        main.wait_stream(side)
        return result

    def _capture(self, batch: Tensor) -> "_Captured[T] | None":
        """Return the captured function, or None where it cannot be captured."""
        graph, place = torch.cuda.CUDAGraph(), batch.clone()
        failure: torch.OutOfMemoryError | None = None
        try:
            # thread_local: other threads' calls (NCCL's watchdog) must not break the capture.
            with torch.cuda.graph(graph, stream=self._stream(), capture_error_mode="thread_local"):
                try:
                    result = self._function(place)
                except torch.OutOfMemoryError as err:
                    failure = err
                    raise
        except RuntimeError as err:
            if failure is not None:  # ending the broken capture raised its own error over it
                raise failure from None
            log.warning("A step could not be captured as a CUDA graph and runs eagerly: %s", err)
            return None
        return _Captured(graph, place, result)

    def _stream(self) -> torch.cuda.Stream:
        if self._side is None:
            self._side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        return self._side


@dataclass(frozen=True, slots=True)
class _Captured(Generic[T]):
    graph: torch.cuda.CUDAGraph
    batch: Tensor
    result: T
