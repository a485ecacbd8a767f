"""Finds a batch that fits into a device's memory."""

import gc
from collections.abc import Callable

import torch

SMALLEST = 2


def fitting_batch(step: Callable[[int], object], batch: int) -> int | None:
    """Return the largest batch, of those halved again and again, whose step fits into memory.

    Args:
        step: Builds a trainer for a batch and makes one step.
        batch: The one that did not fit.

    Returns:
        Images a batch, or None if not even two fit.
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
    """Free what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
