"""Devices, and the number formats in which they train fastest."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from models.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A choice of number format and memory layout.

    Attributes:
        name: As on a card, e.g. "bf16".
        autocast: Data type of convolutions, or None for float32 throughout.
    """

    name: str
    autocast: torch.dtype | None

    def context(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(device.type, self.autocast)


FLOAT32 = Precision(name="fp32", autocast=None)
BFLOAT16 = Precision(name="bf16", autocast=torch.bfloat16)


def fastest_precision(device: torch.device) -> Precision:
    """Return bf16 where the hardware multiplies it, float32 elsewhere."""
    # DCGAN at 64 px, width 64, batch 64 (benchmarks/training.py): on two AVX512-BF16 cores bf16
    # with channels last trains at twice the speed of float32; without such instructions, a third.
    if device.type == "cuda":
        return BFLOAT16 if torch.cuda.is_bf16_supported() else FLOAT32
    multiplies = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return BFLOAT16 if multiplies else FLOAT32


@contextmanager
def exact_convolutions(device: torch.device) -> Iterator[None]:
    """Turn off TF32, cuDNN's default, which rounds factors to ten bits."""
    if device.type != "cuda":
        yield
        return
    settings = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "ieee"
    try:
        yield
    finally:
        settings.fp32_precision = before


@contextmanager
def fastest_kernels(device: torch.device) -> Iterator[None]:
    """Let cuDNN benchmark its kernels; for training alone, since they round differently."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type == "cuda" or before
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def swap_random(device: torch.device, state: torch.Tensor) -> torch.Tensor:
    """Set the state of a device's default generator and return the one before."""
    if device.type == "cuda":
        before = torch.cuda.get_rng_state(device)
        torch.cuda.set_rng_state(state, device)
    else:
        before = torch.get_rng_state()
        torch.set_rng_state(state)
    return before


def pick_device(name: str = "auto") -> torch.device:
    """Return a device by name; "auto" is the first GPU if there is one, else the CPU.

    Raises:
        InvalidValue: The name is unknown, or there is no such device here.
    """
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidValue("device", name, "auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise InvalidValue("device", name, "auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and not has_gpu:
        raise InvalidValue("device", name, "auto or cpu", "No CUDA GPU found.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        allowed = f"cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        raise InvalidValue("device", name, allowed, f"No such CUDA GPU: {name}.")
    return device
