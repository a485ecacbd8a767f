"""Fits directions once for each version and keeps them beside its card."""

import logging
import time

import torch

from models.directions.fitted import Fitted
from models.directions.fitting import SEEDS, fit
from models.errors import CatteryError
from models.inference.checkpoints import load_generator
from models.store import Store

LIMIT_S = 60.0  # of a fit at publishing; slower ones are left to `cattery models directions`

log = logging.getLogger(__name__)


class _TooSlowError(Exception):
    """A fit would take longer than it may."""


def kept(store: Store, model: str, version: str) -> Fitted | None:
    """Return what was fitted for a version, or None if nothing was.

    Raises:
        NotFound, Gone: There is no such version, or it was deleted.
        StoreError: The file is damaged.
    """
    raw = store.directions.read(model, version)
    return None if raw is None else Fitted.from_bytes(raw)


def kept_or_fitted(
    store: Store, model: str, version: str, device: str | torch.device = "cpu"
) -> Fitted:
    """Return what was fitted for a version, after fitting it if nothing was.

    Raises:
        NotFound, Gone, StoreError: As `kept`.
        CheckpointError: The version's weights are damaged.
    """
    if found := kept(store, model, version):
        return found
    fitted = fit(load_generator(store.versions.weights(model, version)), device)
    # Another process may have been faster: its vectors are those of all addresses.
    return Fitted.from_bytes(store.directions.add(model, version, fitted.to_bytes()))


def fit_if_cheap(
    store: Store,
    model: str,
    version: str,
    weights: bytes,
    device: torch.device,
    limit_s: float = LIMIT_S,
) -> bool:
    """Fit directions of a version that has just been published, and say whether it has them.

    Whatever fails is logged: hours of training must not fail for a slider.

    Args:
        store: Where to keep them.
        model: Of the version.
        version: Its id.
        weights: Its file.
        device: Where to render.
        limit_s: A fit that would take longer is not made.
    """
    name = f"{model}@{version}"
    try:
        if store.directions.read(model, version) is None:
            fitted = fit(load_generator(weights), device, _Stopwatch(limit_s))
            store.directions.add(model, version, fitted.to_bytes())
    except _TooSlowError as err:
        log.info("No directions of %s: %s. Run: cattery models directions %s", name, err, name)
        return False
    except (CatteryError, ArithmeticError, ValueError, RuntimeError) as err:
        log.warning("Could not fit directions of %s: %s", name, err)
        return False
    return True


class _Stopwatch:
    """Stops a fit that would take longer than a limit, after any batch."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._start = time.monotonic()

    def __call__(self, done: int) -> None:
        expected_s = (time.monotonic() - self._start) * SEEDS / done
        if expected_s > self._limit_s:
            raise _TooSlowError(f"fitting would take {expected_s:.0f} s of {self._limit_s:.0f}")
