"""What a training job needs from its runner."""

from dataclasses import dataclass
from pathlib import Path

from models.store import Store
from models.training.distributed import SOLO, Team


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """Where and how training jobs run.

    Attributes:
        cache: Local folder for copies of a remote store's files.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; PyTorch's default if None.
        checkpoint_s: Seconds between two checkpoints.
        fakes: Images generated to evaluate a version; the protocol's number if None.
        team: The processes that train together; this one leads.
    """

    store: Store
    cache: Path
    device: str = "auto"
    threads: int | None = None
    checkpoint_s: float = 30.0
    fakes: int | None = None
    team: Team = SOLO
