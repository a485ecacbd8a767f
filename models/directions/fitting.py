"""Fits directions from a version's own images: least squares from latents to attributes.

The images are linear in the latent to a large part: of those that ship, a linear model explains
most of an attribute's variance. Latents are standard normal, so a regression needs no whitening,
and its vector is the steepest way to change the attribute.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.directions.attributes import ATTRIBUTES, measure
from models.directions.encoder import fit_encoder, thumbnails
from models.directions.factorization import NAMES, principal_axes
from models.directions.fitted import Direction, Fitted
from models.inference.checkpoints import Generator
from models.inference.engine import Engine
from models.inference.latents import latents

SEEDS = 2000
HELDOUT = 500  # of them
PENALTY = 30.0  # of the ridge; least squares with 1,500 seeds and 256 unknowns overfits
BATCH = 16
EFFECT_SEEDS = 64
EFFECT_STEP = 3.0

Pictures = NDArray[np.uint8]


def fit(
    generator: Generator,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int], object] | None = None,
) -> Fitted:
    """Fit directions and the encoder of a generator.

    Args:
        generator: A checked generator, which is moved to the device.
        device: Where to render.
        on_progress: Called with the number of images rendered, of `SEEDS`; may raise to stop.
    """
    start = time.monotonic()
    engine = Engine(generator, device)
    z = latents(range(SEEDS), generator.z_dim)
    thumbs, found = _rendered(engine, on_progress or (lambda _: None))
    rows, vectors = _named(engine, z, found)
    axes = principal_axes(generator.network, generator.z_dim).cpu().numpy()
    rows += [_axis(engine, z, name, axis) for name, axis in zip(NAMES, axes, strict=False)]
    encoder, center = fit_encoder(thumbs, z)
    return Fitted(
        directions=tuple(rows),
        vectors=np.concatenate([vectors, axes]).astype(np.float32),
        encoder=encoder,
        center=center,
        thumbnails=thumbs,
        fit_s=time.monotonic() - start,
    )


def regression(z: NDArray[np.float32], values: NDArray[np.float64]) -> tuple[Tensor, float]:
    """Return the unit vector along which values grow, (Z,), and R2 on the last quarter.

    Args:
        z: (N, Z) latents.
        values: (N,) of an attribute.
    """
    fitted = slice(0, len(z) * 3 // 4)
    rows = torch.from_numpy(z).double()
    y = torch.from_numpy((values - values[fitted].mean()) / (values[fitted].std() + 1e-12))
    gram = rows[fitted].T @ rows[fitted] + PENALTY * torch.eye(z.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, rows[fitted].T @ y[fitted])
    rest = slice(fitted.stop, None)
    error = (y[rest] - rows[rest] @ weights).square().sum()
    r2 = 1 - error / ((y[rest] - y[rest].mean()).square().sum() + 1e-12)
    return (weights / (weights.norm() + 1e-12)).float(), float(r2)


def as_tensor(images: Pictures) -> Tensor:
    """Return (N, 3, H, W) in [-1, 1] for (N, H, W, 3) uint8."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def _rendered(
    engine: Engine, on_progress: Callable[[int], object]
) -> tuple[Pictures, dict[str, NDArray[np.float64]]]:
    """Return thumbnails and attributes of all seeds; images are kept for a batch only."""
    thumbs, found = [], []
    for first in range(0, SEEDS, BATCH):
        images = engine.render(range(first, min(first + BATCH, SEEDS)))
        thumbs.append(thumbnails(images))
        found.append(measure(as_tensor(images)))
        on_progress(first + len(images))
    values = {name: torch.cat([each[name] for each in found]) for name in ATTRIBUTES}
    return np.concatenate(thumbs), {name: v.double().numpy() for name, v in values.items()}


def _named(
    engine: Engine, z: NDArray[np.float32], found: dict[str, NDArray[np.float64]]
) -> tuple[list[Direction], NDArray[np.float32]]:
    rows, vectors = [], []
    for name, values in found.items():
        vector, r2 = regression(z, values)
        low, high = (measure(as_tensor(one))[name].mean() for one in _moved(engine, z, vector))
        effect = float(high - low) / (float(values.std()) + 1e-12)
        more = ATTRIBUTES[name].more
        rows.append(
            Direction(
                name=name, kind="attribute", r2=round(r2, 3), effect=round(effect, 2), more=more
            )
        )
        vectors.append(vector.numpy())
    return rows, np.stack(vectors)


def _axis(
    engine: Engine, z: NDArray[np.float32], name: str, axis: NDArray[np.float32]
) -> Direction:
    low, high = (as_tensor(one) for one in _moved(engine, z, torch.from_numpy(axis)))
    effect = float((high - low).abs().mean()) / 2
    more = "what the first layer amplifies most, unnamed"
    return Direction(name=name, kind="axis", r2=None, effect=round(effect, 3), more=more)


def _moved(engine: Engine, z: NDArray[np.float32], vector: Tensor) -> tuple[Pictures, Pictures]:
    """Render a few seeds moved back and forth along a direction."""
    low, high = (
        engine.render_latents((z[:EFFECT_SEEDS] + step * vector.numpy()).astype(np.float32))
        for step in (-EFFECT_STEP, EFFECT_STEP)
    )
    return low, high
