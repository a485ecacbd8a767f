"""Training that starts from trained weights: the same networks on other images, or larger ones.

A FastGAN trained at 64 px learns 256 px in a fraction of the time: its stages up to 64 px are
those of the larger one. What is taken over then trains at a tenth of the rate, so that the new
layers' first gradients do not undo it.

Source: Karras et al. 2018, arXiv:1710.10196, section 2, for growing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from models.errors import CheckpointError
from models.training.state import read_state
from models.training.trainer import Trainer

GROWN_RATE = 0.1  # of the weights taken over, as a share of the new layers' learning rate

_LAST = "closing."  # the layer to pixels: taken over where its channels are the same, else fresh


def start_from(trainer: Trainer, path: str) -> None:
    """Take over the weights of a saved training state: both networks and the average.

    Optimizers, step count, random state and position in the data stay new. From a smaller
    size, layers that fit are taken over and slowed down; the others keep their fresh weights.

    Args:
        trainer: Freshly built; changed only after everything was checked.
        path: A training state of the same recipe and shape, of the same size or smaller.

    Raises:
        CheckpointError: It is damaged, of another recipe or shape, of a larger size, or of
            networks that cannot grow.
    """
    # Optimizers are the bulk of the file, and their moments fit the old data alone.
    header, tensors = read_state(path, with_optimizers=False)
    source = dict(json.loads(header["config"]))
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


def _check(
    recipe: str, wanted: Mapping[str, object], found_recipe: str, found: Mapping[str, object]
) -> None:
    """Raise CheckpointError for any difference but a smaller size."""
    remedy = "Start from a version of the same recipe and shape, of this size or smaller."
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
    """Yield what can be taken over, by name; CheckpointError where a layer has to fit."""
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
    """Return whether growing keeps this tensor's shape; the discriminator's heads may change."""
    return not name.startswith("discriminator.") and _LAST not in name
