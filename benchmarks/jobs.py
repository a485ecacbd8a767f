"""Real training jobs in this process, on a store of their own, to measure."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.jobs.context import JobContext
from models.jobs.dataset_import import import_dataset
from models.jobs.training_job import run_training
from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus, TrainingOrder


@contextmanager
def context_with(pictures: Path, dataset: str, device: str) -> Iterator[JobContext]:
    """Import a folder into a store that is gone afterwards; yield where jobs can run on it."""
    with tempfile.TemporaryDirectory(prefix="cattery-benchmark-") as folder:
        cache = Path(folder) / "cache"
        store = Store.open(str(Path(folder) / "store"))
        import_dataset(store, dataset, pictures, cache=cache, statistics=False)
        yield JobContext(store=store, cache=cache, device=device)


def carry_out(context: JobContext, order: TrainingOrder) -> JobRecord:
    """Run a job to its end, as `cattery train` does; end the command if it does not finish."""
    record, _ = context.store.jobs.create(JobKind.TRAIN, order)
    ended = run_training(record, context)
    if ended.status is not JobStatus.FINISHED:
        raise SystemExit(f"The job {ended.status}: {ended.reason}")
    return ended
