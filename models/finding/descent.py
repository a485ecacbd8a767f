"""Gradient descent from a first guess to the latent of a picture."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 150
RATE = 0.05
PRIOR = 1e-3  # weight of the squared deviation from the length that standard normals have
SCALES = (2, 4, 8)  # of averaged copies, which count as much as the pixels themselves
LONGEST = 3.9  # beyond it codes clip


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to stop early.

    Attributes:
        steps: At most so many.
        deadline: Of `time.monotonic()`.
        is_canceled: Asked between two steps.
    """

    steps: int = STEPS
    deadline: float = float("inf")
    is_canceled: Callable[[], bool] = lambda: False

    def allowed(self) -> Iterator[int]:
        """Yield the numbers of steps until the first limit is reached."""
        for step in range(self.steps):
            if time.monotonic() >= self.deadline or self.is_canceled():
                return
            yield step


def descend(
    network: nn.Module, target: Tensor, start: Tensor, limits: Limits, *, truncates: bool
) -> tuple[Tensor, int]:
    """Return the latent whose image is closest to a target, and the number of steps taken.

    Args:
        network: (N, Z) to (N, 3, H, W) in [-1, 1], in eval mode; its weights take no gradients.
        target: (1, 3, H, W) in [-1, 1].
        start: (1, Z), the first guess.
        limits: When to stop.
        truncates: Whether images depend on the latent's length; if not, it is kept.
    """
    z = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=RATE)
    length = z.shape[1] ** 0.5
    goals = _pyramid(target)
    taken = 0
    for _ in limits.allowed():
        optimizer.zero_grad()
        images = _pyramid(network(z))
        loss = sum((F.mse_loss(a, b) for a, b in zip(images, goals, strict=True)), z.new_zeros(()))
        loss = loss + PRIOR * (z.norm() - length).square()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            if not truncates:
                z.mul_(length / z.norm())
            z.clamp_(-LONGEST, LONGEST)
        taken += 1
    return z.detach(), taken


def _pyramid(images: Tensor) -> list[Tensor]:
    return [images, *(F.avg_pool2d(images, factor) for factor in SCALES)]
