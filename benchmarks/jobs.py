"""Real training jobs in this process, on a store of their own, to measure."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.jobs.dataset_import import import_dataset
from models.jobs.training_job import Place, run_training
from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus, TrainingOrder


@contextmanager
def place_with(pictures: Path, dataset: str, device: str) -> Iterator[Place]:
    """Import a folder into a store that is gone afterwards; yield where jobs can run on it."""
    with tempfile.TemporaryDirectory(prefix="cattery-benchmark-") as folder:
        cache = Path(folder) / "cache"
        store = Store.open(str(Path(folder) / "store"))
        import_dataset(store, dataset, pictures, cache=cache, statistics=False)
        yield Place(store=store, cache=cache, device=device)


def carry_out(place: Place, order: TrainingOrder) -> JobRecord:
    """Run a job to its end, as `cattery train` does; end the command if it does not finish."""
    record, _ = place.store.jobs.create(JobKind.TRAIN, order)
    ended = run_training(
        record,
        place,
        lease=lambda: True,
        should_stop=lambda: None,
        announce=lambda _model: None,
    )
    if ended.status is not JobStatus.FINISHED:
        raise SystemExit(f"The job {ended.status}: {ended.reason}")
    return ended
