"""A process of distributed training other than the leader: it computes but decides nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from models.devices import pick_device
from models.jobs.context import JobContext
from models.store.records import TrainingOrder
from models.training.distributed import Team
from models.training.loop import follow
from models.training.setup import build_trainer
from models.training.state import load_state
from models.training.trainer import Trainer


def run_following(context: JobContext) -> None:
    """Take part in the leader's job until it ends, on this process's own device."""
    team, store = context.team, context.store
    job = team.broadcast(b"").decode()
    # Only the id is broadcast: all processes read the same store.
    order = cast("TrainingOrder", store.jobs.order(store.jobs.get(job)))
    device = pick_device(context.device)
    trainer = build_trainer(order, store, cache=context.cache, device=device, team=team)
    _take_over_state(trainer, team)
    follow(trainer)


def _take_over_state(trainer: Trainer, team: Team) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        path.write_bytes(team.broadcast(b""))
        load_state(trainer, str(path))
