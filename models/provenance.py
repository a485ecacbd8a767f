"""What a card says about where a version comes from."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from models.sampling import LATENT_SCHEME
from models.store.names import timestamp
from models.store.records import Card, DatasetRecord, JobRecord, Json, TrainingOrder
from models.trainer import Trainer


def software() -> dict[str, str]:
    """Return the versions of what trains here."""
    return {
        "cattery": _version("cattery"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def hardware(device: torch.device) -> str:
    """Return a device in words, e.g. "AMD EPYC, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


def make_card(
    trainer: Trainer,
    order: TrainingOrder,
    record: JobRecord,
    dataset: DatasetRecord,
    *,
    kimg: float,
    training_s: float,
    metrics: tuple[Json, ...],
    parent: str | None,
) -> Card:
    """Return the card of a trained generator; the store adds version and checksum."""
    return Card(
        model=order.model,
        version="",
        sha256="",
        recipe=order.recipe,
        size_px=order.size_px,
        z_dim=trainer.settings.z_dim,
        latent=LATENT_SCHEME,
        settings={**trainer.settings.given(), "precision": trainer.precision.name},
        kimg=round(kimg, 3),
        seed=order.seed,
        created_at=timestamp(),
        dataset={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "licence": dataset.licence,
            "pictures": dataset.counts[str(order.size_px)],
        },
        ema=trainer.settings.ema or None,
        mirror=trainer.settings.mirror,
        metrics=metrics,
        software=software(),
        hardware=hardware(trainer.device),
        training_s=round(training_s, 1),
        parent=parent,
        job=record.id,
        note=trainer.pacing.note or "",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
