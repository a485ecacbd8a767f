"""The reaper, with a real Valkey and a real store, without processes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from models.errors import StoreError
from models.store.names import timestamp
from models.store.records import ImportOrder, JobKind, JobStatus, Progress
from tests.records import put_job, training_order
from worker import reaper as reaping
from worker.protocol import lease_key
from worker.queue import Attempt, enqueue, job_queue, look_up
from worker.reaper import Reaper
from worker.settings import WorkerSettings


@pytest.fixture
def settings(tmp_path, valkey):
    return WorkerSettings(data=tmp_path, redis_url=valkey.url, lease_s=1)


@pytest.fixture
def reaper(store, redis, settings, monkeypatch):
    """Return a reaper that is sure at once; its thread is not started."""
    monkeypatch.setattr(reaping, "CERTAIN_AFTER", 0.0)
    return Reaper(store, redis, settings)


def new_job(store, **changes):
    record, _ = store.jobs.create(JobKind.TRAIN, training_order())
    record = replace(record, **changes)
    put_job(store, record)
    return record


def test_a_job_that_redis_does_not_know_is_queued_again(store, redis, reaper, settings):
    """FLUSHALL loses nothing, and the front end's own queueing is not doubled."""
    record = new_job(store)
    reaper.sweep()
    reaper.sweep()
    assert job_queue(redis).get_job_ids() == [f"{record.id}-0"]
    assert not enqueue(redis, record.id, 0, settings)
    assert store.jobs.get(record.id).attempts == 0
    assert look_up(redis, record.id, 0) is Attempt.WAITING


def test_a_started_job_without_a_holder_is_queued_again_with_a_reason(store, redis, reaper):
    record = new_job(store, status=JobStatus.STARTED, progress=Progress(kimg=1.5))
    reaper.sweep()
    again = store.jobs.get(record.id)
    assert (again.status, again.attempts) == (JobStatus.QUEUED, 1)
    assert job_queue(redis).get_job_ids() == [f"{record.id}-1"]
    last = store.jobs.events(record.id)[-1]
    assert last.type == "interrupted"
    assert last.data["progress"] == 1.5
    assert "last saved state" in last.data["reason"]


def test_a_started_job_is_given_time_to_renew_its_lease(store, redis, settings):
    """After a flush the holder comes first."""
    record = new_job(store, status=JobStatus.STARTED)
    Reaper(store, redis, settings).sweep()
    assert store.jobs.get(record.id).status is JobStatus.STARTED


def test_jobs_with_a_holder_of_the_command_line_or_ended_are_left_alone(store, redis, reaper):
    held = new_job(store, status=JobStatus.STARTED)
    redis.set(lease_key(held.id), "somebody")
    new_job(store, status=JobStatus.STARTED, runner="cli")
    new_job(store, status=JobStatus.FAILED, ended_at=timestamp())
    reaper.sweep()
    assert job_queue(redis).get_job_ids() == []


def test_twenty_reapers_queue_a_job_once(store, redis, reaper, settings):
    record = new_job(store, status=JobStatus.STARTED)
    reapers = [Reaper(store, redis, settings) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(Reaper.sweep, reapers))
    assert job_queue(redis).get_job_ids() == [f"{record.id}-1"]
    events = [event.type for event in store.jobs.events(record.id)]
    assert events.count("interrupted") == 1


def interrupt(store, redis, reaper, job, kimg):
    """Let a job start, get as far as `kimg`, and lose its process."""
    redis.flushall()
    record = store.jobs.get(job)
    put_job(store, replace(record, status=JobStatus.STARTED, progress=Progress(kimg=kimg)))
    reaper.sweep()
    return store.jobs.get(job)


def test_five_interruptions_without_progress_end_a_job(store, redis, reaper):
    """A job that kills its process each time does not do so for ever."""
    job = new_job(store).id
    for _ in range(4):
        assert interrupt(store, redis, reaper, job, 1.0).status is JobStatus.QUEUED
    for _ in range(4):
        assert interrupt(store, redis, reaper, job, 2.0).status is JobStatus.QUEUED
    ended = interrupt(store, redis, reaper, job, 2.0)
    assert ended.status is JobStatus.FAILED
    assert "5 times" in ended.reason
    assert ended.ended_at is not None
    assert store.jobs.events(job)[-1].type == "failed"


def test_a_waiting_job_that_was_canceled_ends_without_a_worker(store, redis, reaper, settings):
    """Nobody waits for a week-long job to cancel the next one."""
    job = new_job(store).id
    enqueue(redis, job, 0, settings)
    store.jobs.request_cancel(job)
    reaper.sweep()
    assert store.jobs.get(job).status is JobStatus.CANCELED


def test_a_canceled_job_with_a_state_is_left_to_its_run(store, redis, reaper):
    """Its best snapshot is published first."""
    job = new_job(store).id
    state = store.jobs.state(job)
    state.write(state.take(), "weights", b"...")
    store.jobs.request_cancel(job)
    reaper.sweep()
    assert store.jobs.get(job).status is JobStatus.QUEUED
    assert job_queue(redis).get_job_ids() == [f"{job}-0"]


def test_the_upload_of_an_import_canceled_while_it_waited_is_deleted(store, reaper, tmp_path):
    upload = tmp_path / "cats.zip"
    upload.touch()
    record, _ = store.jobs.create(JobKind.IMPORT, ImportOrder(name="cats", source=str(upload)))
    store.jobs.request_cancel(record.id)
    reaper.sweep()
    assert store.jobs.get(record.id).status is JobStatus.CANCELED
    assert not upload.exists()


def test_the_state_of_an_ended_job_is_dropped_after_its_time(store, redis, tmp_path, valkey):
    """Old training state does not fill the disk; young state stays."""
    job = new_job(store).id
    state = store.jobs.state(job)
    state.write(state.take(), "weights", b"...")
    put_job(store, replace(store.jobs.get(job), status=JobStatus.FINISHED, ended_at=timestamp()))
    Reaper(store, redis, WorkerSettings(data=tmp_path, redis_url=valkey.url)).sweep()
    assert state.exists()
    short = WorkerSettings(data=tmp_path, redis_url=valkey.url, state_keep_s=0)
    Reaper(store, redis, short).sweep()
    assert not state.exists()


def test_a_job_that_never_started_is_queued_again_and_no_death_counts(store, redis, reaper):
    """A worker took it from the queue and died before it started anything."""
    record = new_job(store)
    enqueue(redis, record.id, 0, reaper._settings)
    job_queue(redis).pop_job_id()
    reaper.sweep()
    again = store.jobs.get(record.id)
    assert (again.status, again.attempts) == (JobStatus.QUEUED, 1)
    assert [event.type for event in store.jobs.events(record.id)] == ["queued", "changed", "queued"]
    assert job_queue(redis).get_job_ids() == [f"{record.id}-1"]


def test_a_job_that_cannot_be_read_hides_no_other(store, redis, reaper, monkeypatch):
    broken, sound = new_job(store), new_job(store)
    original = store.jobs.cancel_requested

    def fail(job):
        if job == broken.id:
            raise StoreError("Could not check it.")
        return original(job)

    monkeypatch.setattr(store.jobs, "cancel_requested", fail)
    reaper.sweep()
    assert job_queue(redis).get_job_ids() == [f"{sound.id}-0"]


def test_a_job_that_ended_is_not_waited_for(store, redis, settings):
    """Else the whole store would be listed every second from then on."""
    record = new_job(store, status=JobStatus.STARTED)
    reaper = Reaper(store, redis, settings)
    reaper.sweep()
    assert reaper._missing_since.keys() == {record.id}
    ended = replace(record, status=JobStatus.FINISHED, ended_at=timestamp())
    put_job(store, ended)
    reaper.sweep()
    assert not reaper._missing_since
