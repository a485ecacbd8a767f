"""Tests of `cattery jobs`."""

import json
import threading

from models.store.journal import Journal
from models.store.records import JobStatus, Phase
from tests.app.ordering import ended_job, new_job


def test_jobs_are_listed_and_shown(cattery, store):
    running = Journal(new_job(store), store)
    running.start()
    running.phase(Phase.MEASURING)
    running.work("measuring the new version", 3, 10, "images")
    done = ended_job(store)
    rows = cattery("jobs", "list").out.splitlines()[1:]
    assert done.id in rows[0]
    assert "3 of 10 images" in rows[1]
    listed = json.loads(cattery("jobs", "list", "--json").out)
    assert [job["id"] for job in listed] == [done.id, running.record.id]
    assert json.loads(cattery("jobs", "show", done.id).out)["status"] == "finished"


def test_watch_tells_what_was_and_what_happens_until_the_end(cattery, store):
    journal = Journal(new_job(store), store)
    journal.start()
    ending = threading.Timer(0.3, journal.end, [JobStatus.FAILED, "no more cats"])
    ending.start()
    told = cattery("jobs", "watch", journal.record.id)
    ending.join()
    kinds = [line.split()[1] for line in told.out.splitlines()]
    assert kinds == ["queued", "started", "failed"]
    assert "no more cats" in told.out


def test_a_waiting_job_is_canceled_and_then_deleted(cattery, store):
    job = new_job(store)
    assert cattery("jobs", "delete", job.id).code == 1
    assert "Canceled" in cattery("jobs", "cancel", job.id).err
    assert store.jobs.get(job.id).status is JobStatus.CANCELED
    assert cattery("jobs", "delete", job.id).code == 0
    assert cattery("jobs", "show", job.id).code == 1


def test_a_paused_training_of_the_command_line_is_canceled_and_then_deleted(cattery, store):
    """Nobody may ever resume it: until its end it would lock its dataset."""
    job = new_job(store, runner="cli")
    state = store.jobs.state(job.id)
    state.write(state.take(), "state.pt", b"learned")
    assert f"cattery train --resume {job.id}" in cattery("jobs", "cancel", job.id).err
    assert store.jobs.get(job.id).status is JobStatus.CANCELED
    assert state.newest("state.pt") == b"learned"
    assert cattery("jobs", "delete", job.id).code == 0
    assert state.newest("state.pt") is None


def test_a_running_job_is_asked(cattery, store):
    job = new_job(store, status=JobStatus.STARTED)
    assert "Asked" in cattery("jobs", "cancel", job.id).err
    assert store.jobs.cancel_requested(job.id)
