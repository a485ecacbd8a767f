"""The interface of a rendering backend: latents in, uint8 pixels out."""

from typing import Protocol

import torch
from torch import Tensor

from models.devices import BFLOAT16, fastest_precision
from models.errors import CheckpointError, InvalidValue
from models.inference.checkpoints import Generator
from models.inference.latents import latents
from models.inference.registry import ENGINES


class Backend(Protocol):
    """Renders one generator on one device."""

    @property
    def name(self) -> str:
        """Engine, number format and device, e.g. "torch-fp32-cpu"."""

    @property
    def nbytes(self) -> int:
        """Bytes that its weights hold on the device."""

    def render(self, z: Tensor) -> Tensor:
        """Render (N, Z) float32 to (N, H, W, 3) uint8, both on the CPU.

        A latent's pixels do not depend on what else is rendered, before or with it.
        """

    def warm(self) -> None:
        """Prepare for the first request; CheckpointError if the images are not finite."""


def make_backend(generator: Generator, device: torch.device, name: str) -> Backend:
    """Return the backend of an engine's name.

    Args:
        generator: A checked generator.
        device: Where to compute.
        name: Key in `models.inference.registry.ENGINES`; bf16 falls back to float32 on
            processors that do not multiply it.

    Raises:
        InvalidValue: The engine is unknown, or not for that device.
    """
    # Imported late: the backends import this module.
    from models.inference.cpu import OnCpu
    from models.inference.cuda import OnCuda

    if device.type not in ENGINES.get(name, ()):
        allowed = ", ".join(key for key, devices in ENGINES.items() if device.type in devices)
        raise InvalidValue("engine", name, f"{allowed or 'none'} on {device.type}")
    if device.type == "cuda":
        return OnCuda(generator, device, halves=name == "torch-fp16")
    is_wanted = name == "torch-bf16" and fastest_precision(device) == BFLOAT16
    return OnCpu(generator, torch.bfloat16 if is_wanted else torch.float32)


def gray_levels(images: Tensor) -> Tensor:
    """Return (N, H, W, 3) uint8 for (N, 3, H, W) in [-1, 1], on the same device."""
    levels = images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def some_latents(generator: Generator, count: int) -> Tensor:
    """Return the latents of the first seeds, (N, Z) float32, on the CPU."""
    return torch.from_numpy(latents(range(count), generator.z_dim))


def check_finite(is_finite: bool) -> None:
    """Raise CheckpointError unless a generator's images were finite."""
    if not is_finite:
        raise CheckpointError("The generator's images are not finite.")
