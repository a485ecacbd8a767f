"""A trainer's whole state as one safetensors file, and back, bit for bit.

No pickle: tensors by name, and plain values as JSON in the header.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from models.errors import CheckpointError
from models.training.trainer import Trainer

FORMAT = "cattery-training-state-2"
OPTIMIZER = "optimizer."  # begins the names of their tensors


def save_state(trainer: Trainer, extra: dict[str, Any]) -> bytes:
    """Return the trainer's state as a safetensors file.

    Args:
        trainer: Between two steps.
        extra: Plain JSON values to keep beside it.
    """
    tensors = {name: t.contiguous() for name, t in _tensors(trainer)}
    header = {
        "format": FORMAT,
        "recipe": trainer.recipe.name,
        "config": json.dumps(asdict(trainer.config)),
        "step_count": str(trainer.step_count),
        "position": str(trainer.stream.position),
        "expected_kimg": json.dumps(trainer.critic_schedule.expected_kimg),
        "slowed": json.dumps([sorted(trainer.slowed[0]), trainer.slowed[1]]),
        "extra": json.dumps(extra),
    }
    return save(tensors, header)


def load_state(trainer: Trainer, path: str) -> dict[str, Any]:
    """Put a saved state into a freshly built trainer of the same recipe and shape.

    Args:
        trainer: Changed in place, only after the whole file was checked.
        path: The file.

    Returns:
        The `extra` that was saved with it.

    Raises:
        CheckpointError: The file is damaged, or of another recipe or shape.
    """
    header, tensors = read_state(path, trainer.device)
    _check(trainer, header, tensors)
    for name, target in trainer.tensors():
        target.copy_(tensors[name])
    trainer.random_state = tensors["random"].cpu()
    # Before the optimizers: their state is by position, which parameter groups change.
    names, factor = json.loads(header.get("slowed", "[[], 1.0]"))
    if names:
        trainer.slow_down(frozenset(names), factor)
    _load_optimizers(trainer, tensors)
    trainer.step_count = int(header["step_count"])
    trainer.stream.position = int(header["position"])
    trainer.critic_schedule.expected_kimg = json.loads(header["expected_kimg"])
    return dict(json.loads(header["extra"]))


def read_state(
    path: str, device: torch.device | str = "cpu", *, with_optimizers: bool = True
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return a state's header and its tensors by name.

    Raises:
        CheckpointError: The file is damaged, or of another format.
    """
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            header = file.metadata() or {}
            names = [n for n in file.keys() if with_optimizers or not n.startswith(OPTIMIZER)]  # noqa: SIM118 - not a dict
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as err:
        raise CheckpointError(f"The training state cannot be read: {err}.") from err
    if header.get("format") != FORMAT:
        raise CheckpointError(f"The training state has format {header.get('format')!r}.")
    return header, tensors


def _check(trainer: Trainer, header: dict[str, str], tensors: dict[str, Tensor]) -> None:
    if (header["recipe"], _its_config(trainer, header)) != (trainer.recipe.name, trainer.config):
        found = f"{header['recipe']} {header['config']}"
        wanted = f"{trainer.recipe.name} {json.dumps(asdict(trainer.config))}"
        raise CheckpointError(
            f"The training state is of {found}, the order asks for {wanted}.",
            "Resume with the recipe, size and width it was trained with.",
        )
    if tensors["random"].numel() != trainer.random_state.numel():
        raise CheckpointError(
            f"The training state was saved on another kind of device than {trainer.device}.",
            "Resume where it was trained: on a GPU, or on a CPU.",
        )
    for name, target in trainer.tensors():
        if name not in tensors or tensors[name].shape != target.shape:
            raise CheckpointError(f"The training state lacks a fitting {name}.")


def _its_config(trainer: Trainer, header: dict[str, str]) -> object:
    """Return a state's config; fields newer than its release have their defaults."""
    try:
        return type(trainer.config)(**json.loads(header["config"]))
    except (TypeError, ValueError):
        return None


def _tensors(trainer: Trainer) -> Iterator[tuple[str, Tensor]]:
    yield from trainer.tensors()
    yield "random", trainer.random_state
    for part, optimizer in trainer.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            for key, tensor in values.items():
                yield f"{OPTIMIZER}{part}.{index}.{key}", tensor


def _load_optimizers(trainer: Trainer, tensors: dict[str, Tensor]) -> None:
    for part, optimizer in trainer.optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        prefix = f"{OPTIMIZER}{part}."
        for name in (n for n in tensors if n.startswith(prefix)):
            index, key = name.removeprefix(prefix).split(".")
            state.setdefault(int(index), {})[key] = _like(tensors[name], parameters[int(index)])
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Lay a moment out in memory as its parameter is: fused Adam walks both as raw memory."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter).copy_(tensor)
