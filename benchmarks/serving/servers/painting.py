"""What all contenders' servers share: their instructions, and cats by torch and Pillow.

The latents, the network and the sheet's layout are Cattery's, so that all make the same
pictures; the forward pass is plain torch in float32 and the encoder is Pillow, as in a service
that somebody writes in an afternoon.
"""

import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.images.formats import contact_sheet
from models.inference.checkpoints import load_generator
from models.inference.latents import latents

MAX_BATCH = 64
"""Most pictures in one forward pass, and most requests that a server gathers."""

WAIT_S = 0.005
"""How long a server waits for a batch to fill, seconds: some pictures' time on a CPU."""

TIMEOUT_S = 120.0
"""After what time a server may give up, seconds: longer than any client here waits."""

MEDIA_TYPES = {"png": "image/png", "zip": "application/zip"}

VARIABLE = "CATTERY_BENCHMARK_SERVER"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a server is told, through the environment, since some start processes of their own.

    Attributes:
        weights: The generator's file.
        port: Where to listen on the loopback.
        device: "cpu" or "cuda".
        workers: Processes that render, or that encode where a framework divides the two.
        cores: How many cores all of it may use.
    """

    weights: str
    port: int
    device: str
    workers: int
    cores: int

    @classmethod
    def read(cls) -> "Instructions":
        """Return what the environment tells."""
        return cls(**json.loads(os.environ[VARIABLE]))  # noqa: TID251 - ours alone

    def environment(self) -> dict[str, str]:
        """Return the variables that tell it."""
        return {VARIABLE: json.dumps(asdict(self))}

    @property
    def threads(self) -> int:
        """Threads of one worker's forward pass: the cores divided among the workers."""
        return max(1, self.cores // self.workers)


@dataclass(frozen=True, slots=True)
class Order:
    """What one request asks for: cats with seeds that follow each other.

    Attributes:
        seed: The first one.
        n: How many.
        format: "png", a sheet if there are several, or "zip".
    """

    seed: int
    n: int = 1
    format: str = "png"

    @property
    def seeds(self) -> range:
        """The seeds."""
        return range(self.seed, self.seed + self.n)


class Painter:
    """A generator on a device.

    Args:
        weights: Its file.
        device: "cpu" or "cuda".
        threads: Of a forward pass on a CPU.
    """

    def __init__(self, weights: str, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._generator = load_generator(Path(weights), device)
        self._device = device
        self.pixels(range(MAX_BATCH))  # warm

    @classmethod
    def of(cls, told: Instructions, threads: int | None = None) -> "Painter":
        """Return the painter that a server's instructions ask for."""
        return cls(told.weights, told.device, threads or told.threads)

    def pixels(self, seeds: Sequence[int]) -> Pixels:
        """Render one picture per seed: (N, H, W, 3) uint8."""
        parts = [seeds[at : at + MAX_BATCH] for at in range(0, len(seeds), MAX_BATCH)]
        return np.concatenate([self._forward(part) for part in parts])

    @torch.inference_mode()
    def _forward(self, seeds: Sequence[int]) -> Pixels:
        z = torch.from_numpy(latents(seeds, self._generator.z_dim))
        pictures: torch.Tensor = self._generator(z.to(self._device))
        levels = pictures.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def answers(self, orders: Sequence[Order]) -> list[bytes]:
        """Render for several requests at once and encode each one's answer."""
        return [body_of(order, pixels) for order, pixels in self.drawn(orders)]

    def drawn(self, orders: Sequence[Order]) -> list[tuple[Order, Pixels]]:
        """Render for several requests at once."""
        pixels = self.pixels([seed for order in orders for seed in order.seeds])
        ends = np.cumsum([order.n for order in orders])
        return list(zip(orders, np.split(pixels, ends[:-1]), strict=True))


def body_of(order: Order, pixels: Pixels) -> bytes:
    """Encode a request's answer.

    Args:
        order: What was asked.
        pixels: (N, H, W, 3) uint8.

    Returns:
        A PNG file with one cat or a sheet, or a zip of PNG files.
    """
    if order.format == "png":
        return png_of(contact_sheet(pixels))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for seed, picture in zip(order.seeds, pixels, strict=True):
            archive.writestr(f"{seed}.png", png_of(picture))
    return out.getvalue()


def png_of(picture: Pixels) -> bytes:
    """Encode (H, W, 3) uint8 by Pillow at its fastest level."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()
