"""Finds a batch size that fits into a device's memory."""

import gc
from collections.abc import Callable

import torch

SMALLEST = 2  # the least that `LIMITS` allows


def fitting_batch(step: Callable[[int], object], batch: int) -> int | None:
    """Halve a batch size that did not fit until one does; None if not even 2 fits.

    Args:
        step: Builds a trainer for a batch size and makes one step.
        batch: The batch size that did not fit.
    """
    while batch >= 2 * SMALLEST:
        batch //= 2
        release_memory()
        try:
            step(batch)
        except torch.OutOfMemoryError:
            continue  # the handler must end first: its traceback holds the failed step's tensors
        return batch
    return None


def release_memory() -> None:
    """Free what nothing refers to anymore."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
