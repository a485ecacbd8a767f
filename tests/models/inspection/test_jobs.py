"""A job's record is written again from its order and history; it never runs twice for that."""

import pytest

from models.inspection.jobs import inspect_jobs
from models.publishing.promotion import refused
from models.store.journal import Journal
from models.store.records import JobStatus


@pytest.fixture
def job(store):
    return store.jobs.list()[0].id


def _repaired(store):
    done = [(finding.path, finding.repair()) for finding in inspect_jobs(store)]
    assert list(inspect_jobs(store)) == []
    return done


def test_nothing_is_found_in_a_whole_store(store):
    assert list(inspect_jobs(store)) == []


def test_a_damaged_record_of_a_job_that_had_not_ended_fails(store, job):
    store.tree.write(f"jobs/{job}/job.json", b'{"id": 5}')
    assert store.jobs.list() == []
    ((path, done),) = _repaired(store)
    assert (path, done) == (f"jobs/{job}/job.json", "Written again from its order and history.")
    (record,) = store.jobs.list()
    assert (record.status, record.reason) == (JobStatus.FAILED, "Its record was damaged.")


@pytest.mark.parametrize("planned", [JobStatus.FINISHED, JobStatus.CANCELED])
def test_the_lost_end_of_a_job_that_had_published_is_the_one_that_it_planned(store, job, planned):
    """A job's last event is damaged with its record; the one before it says how it was to end."""
    journal = Journal(store.jobs.get(job), store)
    version = "0123456789ab"
    journal.published(version, refused("The order says never."), planned)
    journal.end(planned, None if planned is JobStatus.FINISHED else "The order says never.")
    store.tree.write(f"jobs/{job}/job.json", b"{")
    _repaired(store)
    record, events = store.jobs.get(job), store.jobs.events(job)
    reason = None if planned is JobStatus.FINISHED else "The order says never."
    assert (record.status, record.version, record.reason) == (planned, version, reason)
    assert [event.type for event in events][-2:] == ["published", planned.value]
    assert [event.id for event in events] == list(range(1, record.events + 1))


def test_without_order_and_record_a_job_is_moved_aside(store, job):
    for name in ("job.json", "order.json"):
        store.tree.write(f"jobs/{job}/{name}", b"")
    ((_, done),) = _repaired(store)
    assert done.startswith(f"Moved to damaged/jobs/{job}-")
    assert store.jobs.list() == []


def test_a_stray_file_hides_no_job_and_is_moved_aside(store, job):
    for name in ("stray", "notes.txt"):
        store.tree.write(f"jobs/{name}", b"")
    assert [record.id for record in store.jobs.list()] == [job]
    assert len(_repaired(store)) == 2
