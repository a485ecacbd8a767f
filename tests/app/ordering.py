"""Datasets and jobs to ask about."""

from dataclasses import replace
from pathlib import Path

from models.store import Store
from models.store.names import timestamp
from models.store.records import JobKind, JobRecord, JobStatus
from tests.records import dataset_record, put_job, training_order

ORDER = {"recipe": "dcgan", "dataset": "cats", "budget": {"kimg": 1}}


def add_dataset(store: Store, tmp_path: Path, name: str = "cats", count: int = 500) -> None:
    """Add a dataset's record and preview; its packs are not needed to order."""
    preview = tmp_path / "preview.png"
    preview.write_bytes(b"a preview")
    rejected = {"too small": 2}
    record = dataset_record({"64": count}, name=name, fingerprint="f" * 64, rejected=rejected)
    store.datasets.add(record, {"preview.png": preview})


def new_job(store: Store, **changes) -> JobRecord:
    """Write a training job down, with fields of its record changed."""
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    return put_job(store, replace(record, **changes)) if changes else record


def ended_job(store: Store, status: JobStatus = JobStatus.FINISHED) -> JobRecord:
    """Write down a job that has ended, with its last event."""
    ended = replace(new_job(store), status=status, ended_at=timestamp())
    return put_job(store, ended, status.value)
