"""Builds the trainer of an order, and finds a batch size that fits if the ordered one does not."""

from dataclasses import replace
from pathlib import Path

import torch

from models.cuda_graphs import WARM_UP
from models.datasets.batches import BatchStream, open_pack
from models.devices import fastest_precision
from models.gan.recipes import resolve
from models.store import Store
from models.store.records import TrainingOrder
from models.training.distributed import SOLO, Team
from models.training.memory import fitting_batch
from models.training.trainer import Trainer


def build_trainer(
    order: TrainingOrder, store: Store, *, cache: Path, device: torch.device, team: Team = SOLO
) -> Trainer:
    """Return a new trainer for an order.

    Raises:
        CatteryError: Dataset, recipe, hyperparameters or team do not go together.
    """
    row, settings = resolve(order.recipe, order.overrides)
    pack = store.datasets.pack_path(order.dataset, order.size_px, heldout=False, cache=cache)
    stream = BatchStream(open_pack(pack), settings.batch, order.seed, device)
    return Trainer(
        row,
        settings,
        order.size_px,
        stream,
        seed=order.seed,
        device=device,
        precision=fastest_precision(device),
        team=team,
    )


def what_fits(order: TrainingOrder, store: Store, *, cache: Path, device: torch.device) -> str:
    """Return a sentence on the batch sizes that fit, by trying; the failed run must be freed."""
    steps = WARM_UP + 1 if device.type == "cuda" else 1  # a capture takes the most

    def step(batch: int) -> None:
        smaller = replace(order, overrides={**order.overrides, "batch": batch})
        trainer = build_trainer(smaller, store, cache=cache, device=device)
        for _ in range(steps):
            trainer.step()

    batch = resolve(order.recipe, order.overrides)[1].batch
    fits = fitting_batch(step, batch)
    advice = "not even 2 fits: lower the width" if fits is None else f"{fits} fits"
    return f"Out of memory on {device} with batch {batch}; {advice}."
