"""Inspects jobs: orders, records and histories."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from models.errors import BadEntry, Gone, NotFound, StoreError
from models.inspection.findings import Finding, set_aside, stray
from models.store import Store
from models.store.ledger import Ledger
from models.store.names import is_job, timestamp
from models.store.records import Event, JobRecord, JobStatus

ENDED = {status.value: status for status in JobStatus if status.has_ended}


def inspect_jobs(store: Store) -> Iterator[Finding]:
    """Yield what is wrong with jobs."""
    for job in store.tree.names("jobs"):
        path = f"jobs/{job}"
        if not is_job(job):
            yield stray(store, path, f"{path}: This is no id of a job.")
            continue
        try:
            record = store.jobs.get(job)
        except (NotFound, Gone):
            continue
        except BadEntry as err:
            yield Finding(err.path, err.detail, partial(_restore, store, job))
            continue
        try:
            if not record.status.has_ended:
                store.jobs.order(record)
        except StoreError as err:
            yield stray(store, path, f"{path}: Its order cannot be read. {err.detail}")


def _restore(store: Store, job: str) -> str:
    """Write a job's record again from its order and history, as ended: it must not run twice."""
    try:
        Ledger(store.tree, job).restore(_ended)
    except (StoreError, FileNotFoundError):
        return set_aside(store, f"jobs/{job}")
    store.tree.problems.clear(f"jobs/{job}/job.json")
    return "Written again from its order and history."


def _ended(born: JobRecord, events: list[Event]) -> JobRecord:
    last = next((event for event in reversed(events) if event.type in ENDED), None)
    published = next((event.data for event in reversed(events) if event.type == "published"), {})
    samples = dict.fromkeys(str(e.data.get("kimg")) for e in events if e.type == "sample")
    # A job's last event is lost with its record. After a publication that was its end, as planned.
    told = last.data if last else published
    status = ENDED.get(last.type if last else str(published.get("status")))
    if status is JobStatus.FINISHED:
        reason = None
    else:
        reason = told.get("reason") if status else "Its record was damaged."
    return replace(
        born,
        status=status or JobStatus.FAILED,
        reason=reason,
        ended_at=last.at if last else timestamp(),
        version=published.get("version"),
        promoted=published.get("promoted"),
        samples=tuple(samples),
    )
