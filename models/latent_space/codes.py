"""Latents as codes: one signed byte a number, 1/32 a step, from -4 to 3.97."""

import numpy as np
from numpy.typing import NDArray

STEPS = 32  # in a unit: every code is exact in float32


def encoded(z: NDArray[np.float32]) -> bytes:
    """Return the code of a latent, (Z,); numbers beyond the range are clipped."""
    return bytes(np.rint(z.astype(np.float64) * STEPS).clip(-128, 127).astype(np.int8).tobytes())


def decoded(data: bytes) -> NDArray[np.float32]:
    """Return the latent of a code, (Z,) float32."""
    return np.frombuffer(data, np.int8).astype(np.float32) / np.float32(STEPS)
