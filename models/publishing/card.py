"""The model card of a trained version: how, where and on what it was trained."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from models.devices import Precision
from models.hyperparameters import Settings
from models.inference.latents import LATENT_SCHEME
from models.inference.registry import CANONICAL
from models.store.names import timestamp
from models.store.records import Card, DatasetRecord, JobRecord, Json, TrainingOrder
from models.store.serialization import to_json
from models.training.critic_schedule import CriticSchedule
from models.training.trainer import Trainer


def software() -> dict[str, str]:
    """Return the versions of the software that trains."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a card needs of a trainer, without keeping its memory alive."""

    settings: Settings
    precision: Precision
    device: torch.device
    critic_schedule: CriticSchedule

    @classmethod
    def of(cls, trainer: Trainer) -> "Origin":
        """Return a trainer's."""
        return cls(
            settings=trainer.settings,
            precision=trainer.precision,
            device=trainer.device,
            critic_schedule=trainer.critic_schedule,
        )


def make_card(
    origin: Origin,
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
        version="",  # both are filled in by the store, from the weights
        sha256="",
        recipe=order.recipe,
        size_px=order.size_px,
        z_dim=origin.settings.z_dim,
        latent=LATENT_SCHEME,
        settings={**origin.settings.given(), "precision": origin.precision.name},
        kimg=round(kimg, 3),
        seed=order.seed,
        created_at=timestamp(),
        dataset={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "license": dataset.license,
            "source": dataset.source,
            "pictures": dataset.counts[str(order.size_px)],
        },
        ema=origin.settings.ema or None,  # 0 turns the average off
        mirror=origin.settings.mirror,
        metrics=metrics,
        software=software(),
        hardware=hardware(origin.device),
        training_s=round(training_s, 1),
        parent=parent,
        job=record.id,
        order=to_json(order),
        engine=CANONICAL,
        note=origin.critic_schedule.note or "",
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
