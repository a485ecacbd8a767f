"""What each process of a team does for test_distributed.py: FOLDER DEVICE RECIPE..."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.datasets.batches import BatchStream
from models.devices import FLOAT32
from models.gan.recipes import recipe
from models.training.distributed import SOLO, Team, team_of_torchrun
from models.training.trainer import Trainer

SIZE_PX = 32
BATCH = 16
STEPS = 20
# In place of a recipe's own: the smallest it allows, and no augmentation, whose
# random numbers are the same in every process, not each its rows of one batch's.
SETTINGS: dict[str, dict[str, object]] = {
    "dcgan-selu": {"width": 4, "batch": BATCH},
    "r3gan": {"width": 8, "batch": BATCH, "augment": 0.0},
    "dcgan": {"width": 4, "batch": BATCH},
}
CPU = torch.device("cpu")


def build(name: str, team: Team = SOLO, device: torch.device = CPU) -> Trainer:
    """Return a tiny trainer on noise; equal arguments give equal trainers."""
    row = recipe(name)
    settings = row.with_overrides(SETTINGS[name])
    shape = (4 * BATCH, SIZE_PX, SIZE_PX, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    stream = BatchStream(pictures, settings.batch, 0, device)
    return Trainer(
        row, settings, SIZE_PX, stream, seed=0, device=device, precision=FLOAT32, team=team
    )


def trained(name: str, team: Team = SOLO, device: torch.device = CPU) -> dict[str, Tensor]:
    """Train for twenty steps; return every weight of both networks and of the average."""
    trainer = build(name, team, device)
    for _ in range(STEPS):
        trainer.step()
    return weights(trainer)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    """Return every floating-point tensor of both networks and of the average, by name."""
    return {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in trainer.tensors()
        if tensor.is_floating_point()
    }


def talk(team: Team) -> dict[str, object]:
    """Exchange words and gradients as training does; return what this process was told."""
    told = ["", "a job", "\0" * 70_000]
    heard = [team.broadcast((word if team.leads else "mine").encode()).decode() for word in told]
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (1,), (1,))]
    # No loss has reached the last one.
    for parameter in parameters[:2]:
        parameter.grad = torch.full_like(parameter, float(team.rank))
    team.average_gradients(parameters)
    return {
        "team": [team.rank, team.size, team.leads],
        "share": team.share(torch.arange(8).view(4, 2)).tolist(),
        "heard": heard == told,
        "agreed": [team.agree(team.leads), team.agree(not team.leads)],
        "gradients": [None if p.grad is None else p.grad.flatten().tolist() for p in parameters],
    }


def main(folder: Path, device: torch.device, names: list[str]) -> None:
    """Train each recipe in this process's part of the team; leave weights and words behind."""
    torch.set_num_threads(1)
    with team_of_torchrun() as team:
        (folder / f"talk-{team.rank}.json").write_text(json.dumps(talk(team)))
        for name in names:
            save_file(trained(name, team, device), folder / f"{name}-{team.rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), torch.device(sys.argv[2]), sys.argv[3:])
