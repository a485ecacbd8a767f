"""Training that starts from trained weights: the same networks on other images, or larger ones.

A FastGAN that draws faces at 64 px learns 256 px in a fraction of the time from there: its
stages up to 64 px are those of the larger one. What is taken over trains at a tenth of the
rate then, lest the new layers' first gradients undo it.

Source: Karras et al. 2018, arXiv:1710.10196, section 2, for growing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.errors import CheckpointError
from models.training.state import FORMAT
from models.training.trainer import Trainer

# Learning rate of what a smaller network knew already, as a share of the new layers' rate.
GROWN_RATE = 0.1

_LAST = "closing."  # the layer to pixels: taken over where its channels are the same, else fresh


def start_from(trainer: Trainer, path: str) -> None:
    """Take over the weights of a saved training state: both networks and the average.

    Optimizers, step count, random numbers and the place in the data stay new. Of a smaller
    size, layers that fit are taken over and slowed down; the rest keeps its fresh weights.

    Args:
        trainer: Freshly built; is changed only after everything was checked.
        path: A training state of the same recipe and numbers, of the same size or a smaller one.

    Raises:
        CheckpointError: It is damaged, or of another recipe, of other numbers that shape the
            networks, of a larger size, or of networks that cannot grow. It says which.
    """
    header, tensors = _read(path)
    source = _config(header)
    wanted = asdict(trainer.config)
    _check(trainer.recipe.name, wanted, header["recipe"], source)
    is_grown = source["size_px"] != wanted["size_px"]
    fitting = dict(_fitting(trainer, tensors, is_grown=is_grown))
    with torch.no_grad():
        for name, target in trainer.tensors():
            if name in fitting:
                target.copy_(fitting[name])
    if is_grown:
        trainer.slow_down(frozenset(fitting), GROWN_RATE)


def _read(path: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            names = [name for name in file.keys() if not name.startswith("optimizer.")]  # noqa: SIM118 - not a dict
            return header, {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as err:
        raise CheckpointError(f"The training state to start from cannot be read: {err}.") from err


def _config(header: Mapping[str, str]) -> dict[str, object]:
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"The training state to start from has format {header.get('format')!r}."
        )
    return dict(json.loads(header["config"]))


def _check(
    recipe: str, wanted: Mapping[str, object], found_recipe: str, found: Mapping[str, object]
) -> None:
    """Refuse what differs in more than a smaller size, and say in what.

    Raises:
        CheckpointError: It does.
    """
    remedy = "Start from a version of the same recipe and numbers, of this size or smaller."
    if found_recipe != recipe:
        raise CheckpointError(f"init_from was trained by {found_recipe}, not by {recipe}.", remedy)
    for name, value in wanted.items():
        theirs = found.get(name, value)  # an older release may not have known it
        if name == "size_px" and int(str(theirs)) > int(str(value)):
            raise CheckpointError(f"init_from makes {theirs} px, more than {value}.", remedy)
        if name != "size_px" and theirs != value:
            raise CheckpointError(f"init_from has {name} {theirs}, the order {value}.", remedy)


def _fitting(
    trainer: Trainer, tensors: Mapping[str, Tensor], *, is_grown: bool
) -> Iterator[tuple[str, Tensor]]:
    """Yield what can be taken over, by name.

    Raises:
        CheckpointError: A layer of the generator is there in another shape, or missing
            though nothing has to grow.
    """
    for name, target in trainer.tensors():
        found = tensors.get(name)
        if found is not None and found.shape == target.shape:
            yield name, found
        elif not is_grown or (found is not None and _must_fit(name)):
            have = "nothing" if found is None else f"shape {tuple(found.shape)}"
            raise CheckpointError(
                f"init_from has {have} for {name}, which takes {tuple(target.shape)}.",
                "Networks of this recipe cannot grow: train at this size from the start."
                if is_grown
                else "Its training state is damaged.",
            )


def _must_fit(name: str) -> bool:
    """Return whether growing leaves this tensor as it was; judges may change with the size."""
    return not name.startswith("discriminator.") and _LAST not in name
