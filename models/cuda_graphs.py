"""A training step as a CUDA graph: captured once, replayed with one call."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

log = logging.getLogger(__name__)

WARM_UP = 6  # calls before a capture: cuDNN chooses its kernels and optimizers make their state


class Replayed(Generic[T]):
    """A function of one tensor that runs as a CUDA graph on a GPU, and as it is on a CPU.

    Its first calls run eagerly, on a side stream as capturing asks for, and count
    like all others. From then on the tensor's content is copied to a fixed place, the
    graph is replayed, and the same result tensors are filled again. What cannot be
    captured, on that GPU or with that driver, goes on as it began, with a warning:
    slower, but no training ends for it.

    The function must be fit for capturing: fixed shapes, no reading back to the host,
    no branch on a tensor, random numbers from the default generator.

    Args:
        function: What to run.
        device: Where it runs.
    """

    def __init__(self, function: Callable[[Tensor], T], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._calls = 0
        self._captured: _Captured[T] | None = None
        self._stays_eager = False
        # One for all: memory that a stream has used is kept for that stream alone.
        self._side: torch.cuda.Stream | None = None

    def __call__(self, batch: Tensor) -> T:
        """Run it on a batch; every call's batch must have the first one's shape.

        Raises:
            torch.OutOfMemoryError: The device's memory does not suffice.
        """
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
            # thread_local: what other threads do meanwhile (NCCL's watchdog) is not ours.
            with torch.cuda.graph(graph, stream=self._stream(), capture_error_mode="thread_local"):
                try:
                    result = self._function(place)
                except torch.OutOfMemoryError as err:
                    failure = err
                    raise
        except RuntimeError as err:
            if failure is not None:  # ending a broken capture raises an error of its own over it
                raise failure from None
            log.warning("A step could not be captured and is launched kernel by kernel: %s", err)
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
